"""The exports that are asked for, and who makes them: a lease each, one at a time for whoever asks.

Celery is the doorbell and the database holds the work. Whoever claims an export holds it until the lease
lapses, and renews that with each part. Then another takes it over and makes it anew, under a name of
its own; the one before ends nothing any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from analytics.exports import callers, file_store
from analytics.exports.callers import Caller
from analytics.exports.questions import Given
from analytics.models import Export, ExportAct, ExportState
from config.problems import NotFound, Problem
from config.table_files import TableFormat

#: Advisory lock: one worker claims at a time, so that what runs is counted.
CLAIMING = 5_218_340_077
#: An export that so many workers have begun and none has ended is given up.
ATTEMPTS = 3
OPEN = (ExportState.WAITING, ExportState.RUNNING)
FAILURE_CHARACTERS = 300
PRUNED_AT_ONCE = 100
#: A worker that is told to stop is gone after so long, whatever it is at.
LONGEST_WRITING = timedelta(minutes=5)


class TooManyExports(Problem):
    code = "too_many_exports"
    title = "So many exports are under way already; wait for one of them, or cancel it"


class LeaseLost(Exception):
    """Another worker has the export, or it was cancelled."""


@dataclass(frozen=True)
class Claim:
    """An export in hand."""

    export: Export
    holder: UUID

    @property
    def path(self) -> str:
        """Where its file goes: this holder's own name."""
        return f"{self.export.id}/{self.holder}.{self.export.file_format}"

    def rows(self) -> QuerySet[Export]:
        """The export, as long as it is in this hand."""
        return Export.objects.filter(
            id=self.export.id, holder=self.holder, state=ExportState.RUNNING
        )


def ask(
    *, by: Caller, name: str, question: Given, file_format: TableFormat, now: datetime
) -> Export:
    """An export that waits to be made; the same again, while that waits, is the same export.

    Raises TooManyExports where EXPORTS_PER_CALLER are under way.
    """
    asked = {"name": name, "question": dict(question), "file_format": file_format}
    with transaction.atomic(durable=True):
        _lock_caller(by)
        own = Export.objects.filter(**by.who, state__in=OPEN)
        waiting = own.filter(**asked, state=ExportState.WAITING).first()
        if waiting is not None:
            return waiting
        if own.count() >= settings.EXPORTS_PER_CALLER:
            raise TooManyExports(limit=settings.EXPORTS_PER_CALLER)
        export = Export.objects.create(**asked, **by.who, created_at=now)
        callers.record(export, ExportAct.ASKED, by=by, now=now)
    return export


def own(by: Caller, export_id: UUID) -> Export:
    """The caller's export of that id. Raises NotFound, also for somebody else's."""
    export = Export.objects.filter(**by.who, id=export_id).first()
    if export is None:
        raise NotFound
    return export


def cancel(export: Export, *, by: Caller, now: datetime) -> Export:
    """Ends it, and deletes its file; who has it in hand stops at the next part. Safe to repeat."""
    with transaction.atomic(durable=True):
        held = Export.objects.select_for_update().get(id=export.id)
        if held.state not in (*OPEN, ExportState.DONE):
            return held
        if held.state == ExportState.DONE:
            held.holder = None  # who made it is done with it
        held.state, held.finished_at, held.path = ExportState.CANCELLED, now, ""
        held.save(update_fields=["state", "holder", "finished_at", "path"])
        callers.record(held, ExportAct.CANCELLED, by=by, now=now)
    file_store.delete_all(held.id)
    return held


def claim(*, now: datetime) -> Claim | None:
    """The next export to make, or None: one that nobody has in hand, of a caller for whom none is made.

    At most EXPORTS_AT_ONCE are made at a time, so that other work finds a worker.
    """
    with transaction.atomic(durable=True):
        if not _try_lock(CLAIMING):
            return None
        _give_up(now=now)
        running = Export.objects.filter(state=ExportState.RUNNING, leased_until__gt=now)
        busy = list(running.values("api_key_id", "operator_id"))
        if len(busy) >= settings.EXPORTS_AT_ONCE:
            return None
        due = Q(state=ExportState.WAITING) | Q(state=ExportState.RUNNING, leased_until__lte=now)
        for who in busy:
            due &= ~Q(**{name: value for name, value in who.items() if value is not None})
        export = (
            Export.objects.select_for_update(skip_locked=True).filter(due).order_by("id").first()
        )
        if export is None:
            return None
        return _held(export, now=now)


def _held(export: Export, *, now: datetime) -> Claim:
    export.state, export.holder, export.leased_until = ExportState.RUNNING, uuid4(), _lease(now)
    export.attempts, export.percent, export.row_count = export.attempts + 1, 0, 0
    export.save()
    return Claim(export, export.holder)


def renew(claim: Claim, *, percent: float, row_count: int = 0, now: datetime) -> None:
    """Says how far it is, and keeps it in hand. Raises LeaseLost."""
    told = {"percent": max(0, min(99, int(percent))), "row_count": row_count}
    if not claim.rows().update(**told, leased_until=_lease(now)):
        raise LeaseLost(claim.export.id)


def finish(
    claim: Claim, *, row_count: int, size_bytes: int, next_cursor: str, now: datetime
) -> None:
    """Makes the file at the claim's path the export's. Raises LeaseLost, with nothing changed."""
    ended = claim.rows().update(
        state=ExportState.DONE,
        percent=100,
        path=claim.path,
        row_count=row_count,
        size_bytes=size_bytes,
        next_cursor=next_cursor,
        finished_at=now,
        expires_at=now + timedelta(hours=settings.EXPORT_KEPT_HOURS),
    )
    if not ended:
        raise LeaseLost(claim.export.id)


def fail(claim: Claim, *, code: str, detail: str, now: datetime) -> None:
    """It cannot be made, whoever tries."""
    claim.rows().update(**_failed(code, detail, now=now))


def release(claim: Claim, *, now: datetime) -> None:
    """Lets another try at once."""
    claim.rows().update(leased_until=now)


def prune(*, now: datetime) -> int:
    """Deletes files that have expired, and what is left of exports that came to nothing; returns of how many
    exports. The rows stay, with the record of them.
    """
    expired = list(
        Export.objects.filter(state=ExportState.DONE, expires_at__lte=now)[:PRUNED_AT_ONCE]
    )
    for export in expired:
        file_store.delete_all(export.id)
        Export.objects.filter(id=export.id, state=ExportState.DONE).update(
            state=ExportState.EXPIRED, path=""
        )
    return len(expired) + _clear_up(now=now)


def _clear_up(*, now: datetime) -> int:
    """Whoever had it in hand when it failed or was cancelled may have put a file there before they died. Once
    none of them can be at it any more, nobody is its holder.
    """
    over = Export.objects.filter(
        state__in=(ExportState.FAILED, ExportState.CANCELLED),
        holder__isnull=False,
        finished_at__lte=now - timedelta(seconds=settings.EXPORT_SECONDS) - LONGEST_WRITING,
    )
    ids = list(over.values_list("id", flat=True)[:PRUNED_AT_ONCE])
    for export_id in ids:
        file_store.delete_all(export_id)
        Export.objects.filter(id=export_id).update(holder=None)
    return len(ids)


def _give_up(*, now: datetime) -> None:
    """What no worker survives: each that takes it over would be lost like the one before."""
    Export.objects.filter(
        state=ExportState.RUNNING, leased_until__lte=now, attempts__gte=ATTEMPTS
    ).update(**_failed("export_failed", "Something failed on our side, each time.", now=now))


def _failed(code: str, detail: str, *, now: datetime) -> Mapping[str, object]:
    return {
        "state": ExportState.FAILED,
        "failure": code,
        "failure_detail": detail[:FAILURE_CHARACTERS],
        "finished_at": now,
    }


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.EXPORT_LEASE_SECONDS)


def _lock_caller(by: Caller) -> None:
    """Until the transaction's end nobody asks in the same name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"export {by}"])


def _try_lock(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])
