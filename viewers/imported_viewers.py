"""Viewers of the past, found by what the system that had them before calls them, or made."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction

from viewers.models import Environment, ImportedViewer, Viewer

AT_ONCE = 5_000


def known(source: str, external_ids: Iterable[str]) -> dict[str, UUID]:
    """The viewers that earlier imports made, by the names that `source` has for them."""
    found: dict[str, UUID] = {}
    for some in _in_parts(external_ids):
        rows = ImportedViewer.objects.filter(source=source, external_id__in=some)
        found.update(rows.values_list("external_id", "viewer_id"))
    return found


def find_or_make(
    source: str, first_seen_at: Mapping[str, datetime], *, now: datetime
) -> dict[str, UUID]:
    """A viewer for each name: the one made before, else a new guest in production, without a device.

    A new one came when it was first seen, so that nothing takes it for somebody new. Two callers that make
    the same one at once are told apart by the database: one of them gets django.db's IntegrityError.
    """
    found = known(source, first_seen_at)
    missing = sorted(first_seen_at.keys() - found.keys())
    with transaction.atomic():
        for some in _in_parts(missing):
            viewers = [
                Viewer(environment=Environment.PRODUCTION, created_at=first_seen_at[name])
                for name in some
            ]
            Viewer.objects.bulk_create(viewers)
            ImportedViewer.objects.bulk_create(
                ImportedViewer(viewer=viewer, source=source, external_id=name, created_at=now)
                for viewer, name in zip(viewers, some, strict=True)
            )
            found.update((name, viewer.id) for viewer, name in zip(viewers, some, strict=True))
    return found


def forget(viewer_id: UUID) -> None:
    """Deletes the names that sources have for a viewer: they say who that is. What was imported stays."""
    ImportedViewer.objects.filter(viewer_id=viewer_id).delete()


def _in_parts(names: Iterable[str]) -> Iterable[Sequence[str]]:
    rest = iter(names)
    while some := list(islice(rest, AT_ONCE)):
        yield some
