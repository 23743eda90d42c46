"""The inbox of events: a batch is in PostgreSQL before it is acknowledged, and is there once.

One row holds a batch as it was sent, and one statement stores it with what was quarantined of it. A
batch that is sent again, at whatever time, is answered as it was the first time.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Count, Min, QuerySet, Sum

from analytics.intake import batches, verdicts
from analytics.intake.batches import Batch
from analytics.intake.events import CATALOGUE
from analytics.intake.verdicts import EVENT_BYTES, Code, EventVerdict
from analytics.models import EventBatch, Flush, QuarantinedEvent, RepeatCount
from config.problems import Problem

KEPT_BATCHES = timedelta(hours=24)
KEPT_QUARANTINE = timedelta(days=14)
PRUNED_AT_ONCE = 1000

#: The fastest, which leaves a tenth of what apps report.
_DEFLATE_LEVEL = 1

#: The row that is there already is updated to itself: so it is returned, even if it was committed
#: while this statement waited for it.
_RECEIVE = """
    WITH batch AS (
        INSERT INTO analytics_eventbatch (viewer_id, environment, batch_id, content_sha256, sent_at,
            received_at, payload, event_count, refusals)
        VALUES (%(viewer_id)s, %(environment)s, %(batch_id)s, %(content_sha256)s, %(sent_at)s,
            %(received_at)s, %(payload)s, %(event_count)s, %(refusals)s::jsonb)
        ON CONFLICT (viewer_id, batch_id) DO UPDATE SET batch_id = EXCLUDED.batch_id
        RETURNING old.id IS NULL AS is_new, new.content_sha256, new.refusals
    ), quarantined AS (
        INSERT INTO analytics_quarantinedevent (viewer_id, environment, batch_id, position, code,
            detail, raw, received_at)
        SELECT %(viewer_id)s, %(environment)s, %(batch_id)s, event.position, event.code,
            event.detail, event.raw, %(received_at)s
        FROM batch, unnest(%(positions)s::integer[], %(codes)s::text[], %(details)s::text[],
            %(raws)s::bytea[]) AS event(position, code, detail, raw)
        WHERE batch.is_new
    )
    SELECT is_new, content_sha256, refusals::text FROM batch
"""


class BatchIdReused(Problem):
    code = "batch_id_reused"
    title = "This batch id was already used for another batch"


class CatalogueUnknown(Problem):
    """The app is ahead of this server: it keeps the batch and sends it again once the server is newer."""

    code = "catalogue_unknown"
    title = "This version of the catalogue of events is newer than the server's"
    headers = {"Retry-After": "3600"}


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """Why the event at a position of its batch is quarantined, as the batch's row keeps it."""

    position: int
    code: Code
    detail: str


_refusals_decoder = msgspec.json.Decoder(list[Refusal])


@dataclass(frozen=True)
class Received:
    """What a batch was answered: a verdict on each of its events, in order."""

    batch_id: UUID
    verdicts: Sequence[EventVerdict]


def receive(*, viewer_id: UUID, environment: str, body: bytes, now: datetime) -> Received:
    """Stores the batch in `body` and its verdicts, once; safe to repeat.

    When this returns, the batch is committed. Raises MalformedBody, CatalogueUnknown or BatchIdReused,
    with nothing stored.
    """
    batch = batches.read(body)
    if batch.catalogue > CATALOGUE:
        raise CatalogueUnknown(newest=CATALOGUE)
    judged = verdicts.judge(batch, viewer_id=viewer_id, received_at=now)
    refusals = _refusals(judged)
    sha256 = _fingerprint(batch)
    with connection.cursor() as cursor:
        cursor.execute(
            _RECEIVE,
            {
                "viewer_id": viewer_id,
                "environment": environment,
                "batch_id": batch.batch_id,
                "content_sha256": sha256,
                "sent_at": batch.sent_at,
                "received_at": now,
                "payload": zlib.compress(body, _DEFLATE_LEVEL),
                "event_count": len(batch.events),
                "refusals": msgspec.json.encode(refusals).decode(),
                **_quarantine(batch, refusals),
            },
        )
        is_new, stored_sha256, stored_refusals = cursor.fetchone()
    if bytes(stored_sha256) != sha256:
        raise BatchIdReused
    if not is_new:
        judged = _as_stored(judged, _refusals_decoder.decode(stored_refusals))
    return Received(batch.batch_id, judged)


def has_waiting(count: int) -> bool:
    """Whether at least so many batches wait to be moved into the lake."""
    waiting = EventBatch.objects.filter(flush=None).order_by("id").values("id")
    return waiting[count - 1 : count].exists()


def prune(*, now: datetime) -> int:
    """Deletes some of what is kept no longer; returns how many rows, 0 when nothing is left.

    Batches stay for a day after they are in the lake, to answer clients that send them again; what
    comes later than that is found to be repeated there. A flush goes after its batches, so what is
    asked for here is what there is to delete, however long the history.
    """
    done = Flush.objects.filter(finished_at__lte=now - KEPT_BATCHES).order_by("finished_at")
    flushes = list(done.values_list("id", flat=True)[:PRUNED_AT_ONCE])
    old_batches = EventBatch.objects.filter(flush__in=flushes)
    old_events = QuarantinedEvent.objects.filter(received_at__lte=now - KEPT_QUARANTINE)
    deleted = _delete_some(old_batches) or _delete_some(Flush.objects.filter(id__in=flushes))
    return deleted + _delete_some(old_events)


def _delete_some(rows: QuerySet[Any]) -> int:
    some = rows.values("pk")[:PRUNED_AT_ONCE]
    deleted: int = rows.model._default_manager.filter(pk__in=some).delete()[0]  # noqa: SLF001
    return deleted


@dataclass(frozen=True)
class Health:
    """How the inbox does. `last_flush_ago` tells of a flush in the last day.

    Events were `repeated` if they were there already, and are `in_conflict` if they told something else, today
    and yesterday, UTC.
    """

    waiting_batches: int
    oldest_waiting: timedelta | None
    flushed_events_last_hour: int
    quarantined_last_day: Mapping[str, int]
    lapsed_flushes: int
    last_flush_ago: timedelta | None
    repeated: int
    in_conflict: int


def health(*, now: datetime) -> Health:
    """How the inbox does at `now`."""
    waiting = EventBatch.objects.filter(flush=None).aggregate(
        count=Count("id"), oldest=Min("received_at")
    )
    hour = Flush.objects.filter(finished_at__gt=now - timedelta(hours=1), finished_at__lte=now)
    day = QuarantinedEvent.objects.filter(received_at__gt=now - timedelta(days=1))
    last = Flush.objects.filter(finished_at__isnull=False).order_by("-id").first()
    found = repeated_lately(now=now)
    by_code = day.values_list("code").annotate(count=Count("id")).order_by("-count", "code")
    return Health(
        waiting_batches=waiting["count"],
        oldest_waiting=waiting["oldest"] and now - waiting["oldest"],
        flushed_events_last_hour=hour.aggregate(total=Sum("event_count", default=0))["total"],
        quarantined_last_day=dict(by_code),
        lapsed_flushes=Flush.objects.filter(finished_at=None, leased_until__lte=now).count(),
        last_flush_ago=now - last.finished_at if last and last.finished_at else None,
        repeated=found.repeats,
        in_conflict=found.conflicts,
    )


class Repeated(NamedTuple):
    """Events that were there already, and those of them that told something else."""

    repeats: int
    conflicts: int


def repeated_lately(*, now: datetime) -> Repeated:
    """What was found of today and yesterday, UTC."""
    since = now.astimezone(UTC).date() - timedelta(days=1)
    counts = RepeatCount.objects.filter(day__gte=since).aggregate(
        repeats=Sum("repeat_count", default=0), conflicts=Sum("conflict_count", default=0)
    )
    return Repeated(**counts)


def _fingerprint(batch: Batch) -> bytes:
    """What tells two batches apart: all of it but `sent_at`, which differs from try to try."""
    # A member that newer code adds is empty in what was sent before.
    app = {name: value for name, value in msgspec.structs.asdict(batch.app).items() if value}
    if batch.catalogue > 1:
        app["catalogue"] = batch.catalogue
    digest = hashlib.sha256(batch.batch_id.bytes)
    for part in map(bytes, (msgspec.json.encode(app, order="sorted"), *batch.events)):
        digest.update(len(part).to_bytes(4))
        digest.update(part)
    return digest.digest()


def _refusals(judged: Sequence[EventVerdict]) -> list[Refusal]:
    return [
        Refusal(position, verdict.code, verdict.detail)
        for position, verdict in enumerate(judged)
        if verdict.code is not None
    ]


def _quarantine(batch: Batch, refusals: Sequence[Refusal]) -> dict[str, list[Any]]:
    """The columns of the events that are quarantined."""
    return {
        "positions": [refusal.position for refusal in refusals],
        "codes": [refusal.code for refusal in refusals],
        "details": [refusal.detail for refusal in refusals],
        "raws": [bytes(batch.events[refusal.position])[:EVENT_BYTES] for refusal in refusals],
    }


def _as_stored(judged: Sequence[EventVerdict], refusals: Sequence[Refusal]) -> list[EventVerdict]:
    """The verdicts as the batch's row has them: they were given at another moment than now."""
    refused = {refusal.position: refusal for refusal in refusals}
    return [
        verdicts.quarantined(verdict.event_id, refused[position].code, refused[position].detail)
        if position in refused
        else verdicts.accepted(verdict.event_id)
        for position, verdict in enumerate(judged)
    ]
