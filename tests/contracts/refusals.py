"""What any refusal must be: a problem of RFC 9457 with a code that the document announces."""

from collections.abc import Collection

import msgspec

from config.api_errors import CONTENT_TYPE, STATUS


class Problem(msgspec.Struct):
    """The members that every problem has."""

    type: str
    title: str
    status: int
    code: str


def code_of(body: bytes) -> str | None:
    """The code of a problem, or None for anything else."""
    try:
        return msgspec.json.decode(body, type=Problem).code
    except msgspec.DecodeError:
        return None


def fault(
    status: int, content_type: str | None, body: bytes, *, codes: Collection[str]
) -> str | None:
    """What is wrong with a refusal, or None. `codes` are those that may be answered here."""
    shown = f"{status} {content_type} {body[:300]!r}"
    if content_type != CONTENT_TYPE:
        return f"not a problem: {shown}"
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError as error:
        return f"not a problem ({error}): {shown}"
    if problem.code not in codes:
        return f"an undocumented code: {shown}"
    if not problem.status == status == STATUS[problem.code]:
        return f"not the status of its code: {shown}"
    return None
