"""draft → scheduled → published → withdrawn: a function for each step, and who may take it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.module_loading import import_string

from catalog.faults import Fault, SeriesInvalid, refuse_any
from catalog.models import Episode, Series
from config.problems import NotFound

DUE_AT_ONCE = 200

_State = Series.State
#: What was once public is never a draft again: viewers may own a part of it.
_STEPS: Mapping[str, frozenset[str]] = {
    _State.DRAFT: frozenset(_State),
    _State.SCHEDULED: frozenset(_State),
    _State.PUBLISHED: frozenset({_State.PUBLISHED, _State.WITHDRAWN}),
    _State.WITHDRAWN: frozenset({_State.WITHDRAWN, _State.SCHEDULED, _State.PUBLISHED}),
}
_FIELDS = ("state", "publish_at", "published_at", "is_held", "updated_at")


class PublicationListener(Protocol):
    """A callable named in settings.SERIES_PUBLISHED: what another app does for titles that have just
    become public, in the transaction that makes them so."""

    def __call__(self, series_ids: Collection[UUID], *, now: datetime) -> None: ...


def publish(*, series_id: UUID, now: datetime) -> Series:
    """Makes the series public at once, and lets pushes steer it again if it was held.

    Raises NotFound, or SeriesInvalid when it may not be published.
    """
    with transaction.atomic(durable=True):
        series = locked(series_id)
        refuse_any(list(_faults_of_publishing(series)))
        series.is_held = False
        move(series, to=_State.PUBLISHED, publish_at=series.publish_at, now=now)
        series.save(update_fields=_FIELDS)
        announce([series], now=now)
    return series


def schedule(*, series_id: UUID, publish_at: datetime, now: datetime) -> Series:
    """Makes the series public when `publish_at` comes, at once if it has.

    Raises NotFound, or SeriesInvalid when it may not be published or already is.
    """
    with transaction.atomic(durable=True):
        series = locked(series_id)
        refuse_any(list(_faults_of_publishing(series)))
        series.is_held = False
        move(series, to=_State.SCHEDULED, publish_at=publish_at, now=now)
        series.save(update_fields=_FIELDS)
        announce([series], now=now)
    return series


def withdraw(*, series_id: UUID, now: datetime) -> Series:
    """Takes the series out of every list, and holds it: no push brings it back, only `publish`.

    Viewers keep what they unlocked. Raises NotFound.
    """
    with transaction.atomic(durable=True):
        series = locked(series_id)
        move(series, to=_State.WITHDRAWN, publish_at=series.publish_at, now=now)
        series.is_held = True
        series.save(update_fields=_FIELDS)
    return series


def publish_due(*, now: datetime) -> int:
    """Publishes series whose moment has come, up to 200 at once; returns how many.

    Run by any number of workers at once: each takes series that no other holds.
    """
    with transaction.atomic(durable=True):
        due = list(
            Series.objects.select_for_update(skip_locked=True)
            .filter(state=_State.SCHEDULED, publish_at__lte=now)
            .order_by("publish_at", "id")[:DUE_AT_ONCE]
        )
        for series in due:
            move(series, to=_State.PUBLISHED, publish_at=series.publish_at, now=now)
        Series.objects.bulk_update(due, _FIELDS)
        announce(due, now=now)
    return len(due)


def announce(moved: Sequence[Series], *, now: datetime) -> None:
    """Tells every listener of the titles that are public for the first time, saved by the caller."""
    new = [series.id for series in moved if series.published_at == now]
    if new:
        for listener in _listeners(tuple(settings.SERIES_PUBLISHED)):
            listener(new, now=now)


def locked(series_id: UUID) -> Series:
    """The series under its row lock, inside the caller's transaction. Raises NotFound."""
    series: Series | None = Series.objects.select_for_update().filter(id=series_id).first()
    if series is None:
        raise NotFound
    return series


def move(series: Series, *, to: str, publish_at: datetime | None, now: datetime) -> None:
    """Takes the step on a locked series, unsaved; a held one stays withdrawn whatever is asked.

    A schedule whose moment has come publishes, so that repeating it after the fact changes
    nothing. Raises SeriesInvalid for a step that does not exist.
    """
    if to == _State.SCHEDULED and publish_at is not None and publish_at <= now:
        to = _State.PUBLISHED
    if series.is_held:
        to = _State.WITHDRAWN
    if to not in _STEPS[series.state]:
        raise SeriesInvalid([Fault("state", f"A {series.state} series cannot become {to}.")])
    series.state = to
    series.publish_at = publish_at and publish_at.astimezone(UTC)
    series.updated_at = now
    if to == _State.PUBLISHED and series.published_at is None:
        series.published_at = now


@lru_cache(maxsize=4)
def _listeners(paths: tuple[str, ...]) -> Sequence[PublicationListener]:
    return [import_string(path) for path in paths]


def _faults_of_publishing(series: Series) -> Iterator[Fault]:
    if series.is_unlabelled:
        yield Fault("provenance.content_label", "What AI had a part in needs a label.")
    if not series.texts.filter(locale=series.original_locale).exists():
        yield Fault("texts", f"There is no text in the original locale {series.original_locale}.")
    episodes = Episode.objects.filter(series=series, state=Episode.State.PUBLISHED)
    if not episodes.exists():
        yield Fault("episodes", "A series needs an episode before it may be published.")
    if episodes.filter(current_version=None).exists():
        yield Fault("episodes", "An episode has no version to play.")
    if episodes.filter(_unlabelled_version()).exists():
        yield Fault("episodes", "A version that AI had a part in needs a label.")


def _unlabelled_version() -> Q:
    return Q(current_version__content_label="") & ~Q(current_version__provenance_kind="human")
