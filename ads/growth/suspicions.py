"""Whether something else knows that a viewer is not to be paid."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


class Suspicion(Protocol):
    """A callable named in settings.GROWTH_SUSPICIONS: whether it suspects a viewer of fraud."""

    def __call__(self, *, viewer_id: UUID, environment: str, now: datetime) -> bool: ...


def any_of(*, viewer_id: UUID, environment: str, now: datetime) -> bool:
    """Whether any of those that are named does."""
    suspicions: list[Suspicion] = [import_string(path) for path in settings.GROWTH_SUSPICIONS]
    return any(
        suspects(viewer_id=viewer_id, environment=environment, now=now) for suspects in suspicions
    )
