"""The chain of digests: a change to entries of a past day does not go unseen.

A day is one of UTC by the time inside the entries' ids, which the database draws by its own clock when
it posts. Its digest is the SHA-256, in hex, over the digest of the day before, a line feed, and each
entry in the order of ids, a line each that ends in a line feed. The first day stands on nothing. A day
without entries has a digest too.

A line has, with a space between them: id, transfer, code, reference as a JSON string, wallet, account,
environment, amount, balance after, sequence, and created_at in microseconds since 1970; `-` for what
an entry has not.

Who can write to the database as its owner can make the whole chain anew. So each digest is logged,
too, and logs are kept elsewhere.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from config.ids import first_at
from payments.models import Entry, LedgerDigest

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
#: A day's digest is made so long after its end: whatever drew an id in it has committed.
OVER_FOR = timedelta(hours=1)
STATEMENT_SECONDS = 300
ROWS_AT_ONCE = 5_000

_LINES = """
    SELECT concat_ws(' ', entry.id, transfer_id, code, to_json(reference), coalesce(wallet_id::text, '-'),
                     account, entry.environment, amount_coins,
                     coalesce(balance_after_coins::text, '-'), coalesce(sequence::text, '-'),
                     (extract(epoch FROM entry.created_at) * 1000000)::bigint) || E'\\n'
    FROM payments_entry entry JOIN payments_transfer transfer ON transfer.id = transfer_id
    WHERE entry.id >= %s AND entry.id < %s
    ORDER BY entry.id
"""


@dataclass(frozen=True)
class Mismatch:
    """A day whose digest is not what it was."""

    day: date
    reason: str


def seal_next(*, now: datetime) -> int:
    """Makes the digest of the next day that is over; returns how many, 0 or 1. `now` is real time.

    The caller holds closing.LOCK.
    """
    last = LedgerDigest.objects.first()
    day = last.day + DAY if last else _first_day()
    if day is None or day >= (now - OVER_FOR).astimezone(UTC).date():
        return 0
    digest, count = digest_of(day, previous=last.digest if last else "")
    LedgerDigest.objects.create(
        day=day,
        entry_count=count,
        digest=digest,
        previous_digest=last.digest if last else "",
        created_at=now,
    )
    logger.info("ledger of %s: %s entries, digest %s", day, count, digest)
    return 1


def digest_of(day: date, *, previous: str) -> tuple[str, int]:
    """What a day's entries hash to after the digest of the day before, and how many they are."""
    digest, count = hashlib.sha256(f"{previous}\n".encode()), 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        with connection.chunked_cursor() as cursor:
            cursor.execute(_LINES, [first_at(_begins(day)), first_at(_begins(day + DAY))])
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                digest.update("".join(line for (line,) in rows).encode())
                count += len(rows)
    return digest.hexdigest(), count


def first_mismatch() -> Mismatch | None:
    """The first day whose entries or digest are not what was sealed; None on a sound ledger."""
    previous: LedgerDigest | None = None
    for sealed in LedgerDigest.objects.order_by("day"):
        mismatch = _gap(sealed, previous) or _mismatch(sealed, previous)
        if mismatch:
            return mismatch
        previous = sealed
    return None


def _gap(sealed: LedgerDigest, previous: LedgerDigest | None) -> Mismatch | None:
    due = previous.day + DAY if previous else _first_day()
    return Mismatch(due, "it has no digest") if due and due < sealed.day else None


def _mismatch(sealed: LedgerDigest, previous: LedgerDigest | None) -> Mismatch | None:
    stands_on = previous.digest if previous else ""
    if sealed.previous_digest != stands_on:
        return Mismatch(sealed.day, "its digest does not stand on that of the day before")
    digest, count = digest_of(sealed.day, previous=stands_on)
    if digest == sealed.digest and count == sealed.entry_count:
        return None
    return Mismatch(
        sealed.day,
        f"{count} entries hash to {digest}; sealed were {sealed.entry_count} with {sealed.digest}",
    )


def _first_day() -> date | None:
    first = Entry.objects.order_by("id").first()
    if first is None:
        return None
    # The time inside an id is its first 48 bits, in milliseconds.
    return datetime.fromtimestamp((first.id.int >> 80) / 1000, UTC).date()


def _begins(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
