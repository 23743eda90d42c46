"""What a viewer lets others know of them."""

from uuid import UUID

from viewers.models import Viewer


def shares_consumption(viewer_id: UUID) -> bool:
    """Whether a store may hear how much of a purchase was used. What nobody was asked is no."""
    return Viewer.objects.filter(id=viewer_id, erased_at=None, shares_consumption=True).exists()


def say(viewer: Viewer, *, shares_consumption: bool) -> None:
    """Keeps the viewer's own word."""
    viewer.shares_consumption = shares_consumption
    viewer.save(update_fields=["shares_consumption"])
