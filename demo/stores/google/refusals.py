"""How Google says no."""

from demo.stores.messages import Answer, Rejected


def refused(status: int, reason: str, message: str) -> Rejected:
    """Google's error of a reason, to be raised."""
    error = {
        "code": status,
        "message": message,
        "errors": [{"message": message, "domain": "androidpublisher", "reason": reason}],
    }
    return Rejected(Answer.of({"error": error}, status=status))


def unknown(reason: str) -> Rejected:
    return refused(404, reason, "The requested resource was not found.")


def invalid(message: str) -> Rejected:
    return refused(400, "invalid", message)
