"""Whatever is changed about entries of a past day is named, by a chain that anybody can recompute."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from catalog.models import Series
from config.ids import first_at
from payments.ledger.days import digests
from payments.ledger.days.digests import Mismatch
from payments.models import Entry, LedgerDigest
from tests import ledger_rules
from tests.factories.payments import as_owner, fund
from tests.payments.ledger.days.story import DAY, HOUR, spend
from viewers.models import Device

WEEK = 7 * DAY


@pytest.fixture
def today() -> date:
    """The day that the database draws ids in. Its midnight does not come between two of them."""
    return posted_on(0)


@pytest.fixture
def chain(device: Device, series: Series, now: datetime, today: date) -> list[LedgerDigest]:
    """Three days with entries, a day without, and one more with; every one of them sealed."""
    for number in (9, 10, 11, 12):
        fund(device.viewer_id, now=now, paid=60, price_micros=600_000)
        spend(device.viewer_id, series, number, now)
    entries = list(Entry.objects.order_by("id").values_list("id", flat=True))
    with replica() as cursor:
        for place, entry_id in enumerate(entries):
            days_ago = (5, 4, 3, 1)[place * 4 // len(entries)]
            moved = entry_id.int - (days_ago * 86_400_000 << 80)
            cursor.execute(
                "UPDATE payments_entry SET id = %s WHERE id = %s", [f"{moved:032x}", entry_id]
            )
    while digests.seal_next(now=midnight(today) + HOUR):
        pass
    return list(LedgerDigest.objects.order_by("day"))


@contextmanager
def replica() -> Iterator[CursorWrapper]:
    """A cursor of the owner for which no constraint or trigger is checked."""
    with as_owner() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        cursor.execute("SET LOCAL session_replication_role = origin")


@contextmanager
def damaged(statement: str, *values: object) -> Iterator[None]:
    """A ledger that somebody has changed behind its functions' backs, until the block ends."""
    with transaction.atomic():
        with replica() as cursor:
            cursor.execute(statement, values)
            assert cursor.rowcount > 0
        yield
        transaction.set_rollback(True)


def posted_on(days_ago: int) -> date:
    with as_owner() as cursor:
        cursor.execute("SELECT uuid_extract_timestamp(uuidv7())")
        (moment,) = cursor.fetchone()
    today: date = moment.astimezone(UTC).date()
    return today - days_ago * DAY


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def entries_of(sealed: LedgerDigest) -> list[Entry]:
    first, last = (first_at(midnight(sealed.day + n * DAY)) for n in (0, 1))
    return list(Entry.objects.filter(id__gte=first, id__lt=last).order_by("id"))


def line(entry: Entry) -> str:
    """As the module's docstring says."""
    micros = (entry.created_at - datetime(1970, 1, 1, tzinfo=UTC)) // (HOUR / 3_600_000_000)
    columns = (
        entry.id,
        entry.transfer_id,
        entry.transfer.code,
        json.dumps(entry.transfer.reference),
        entry.wallet_id,
        entry.account,
        entry.environment,
        entry.amount_coins,
        entry.balance_after_coins,
        entry.sequence,
        micros,
    )
    return " ".join("-" if column is None else str(column) for column in columns) + "\n"


def test_a_digest_is_what_its_definition_says(chain: list[LedgerDigest]) -> None:
    previous = ""
    for sealed in chain:
        text = f"{previous}\n" + "".join(line(entry) for entry in entries_of(sealed))
        assert sealed.digest == hashlib.sha256(text.encode()).hexdigest()
        assert sealed.previous_digest == previous
        previous = sealed.digest


def test_every_day_since_the_first_entry_has_one(chain: list[LedgerDigest], today: date) -> None:
    assert [sealed.day for sealed in chain] == [today - n * DAY for n in (5, 4, 3, 2, 1)]
    counts = [sealed.entry_count for sealed in chain]
    assert counts[3] == 0
    assert sum(counts) == Entry.objects.count()
    assert all(count > 0 for count in counts[:3] + counts[4:])
    assert len({sealed.digest for sealed in chain}) == 5


def test_a_sound_ledger_matches(chain: list[LedgerDigest]) -> None:
    assert digests.first_mismatch() is None


def test_a_day_is_sealed_an_hour_after_its_end(
    device: Device, now: datetime, today: date, caplog: pytest.LogCaptureFixture
) -> None:
    fund(device.viewer_id, now=now)
    over = midnight(today + DAY)
    assert digests.seal_next(now=over + HOUR - HOUR / 60) == 0
    with caplog.at_level(logging.INFO, logger="payments.ledger.days.digests"):
        assert digests.seal_next(now=over + HOUR) == 1
    sealed = LedgerDigest.objects.get()
    assert (sealed.day, sealed.created_at) == (today, over + HOUR)
    assert sealed.digest in caplog.text


def test_nothing_is_sealed_where_nothing_was_posted(today: date) -> None:
    assert digests.seal_next(now=midnight(today) + WEEK) == 0


OF_THE_SECOND_DAY = "id = (SELECT id FROM payments_entry WHERE id >= %s ORDER BY id LIMIT 1)"
CHANGES = {
    "an amount": "UPDATE payments_entry SET amount_coins = amount_coins + 1",
    "a balance": "UPDATE payments_entry SET balance_after_coins = 5",
    "a sequence": "UPDATE payments_entry SET sequence = 77",
    "an account": "UPDATE payments_entry SET account = 'debt'",
    "an environment": "UPDATE payments_entry SET environment = 'sandbox'",
    "a moment": "UPDATE payments_entry SET created_at = created_at + interval '1 microsecond'",
    "a wallet": "UPDATE payments_entry SET wallet_id = uuidv7()",
    "the entry gone": "DELETE FROM payments_entry",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_a_change_to_an_entry_names_its_day(chain: list[LedgerDigest], statement: str) -> None:
    second = chain[1].day
    begins = first_at(midnight(second))
    with damaged(f"{statement} WHERE {OF_THE_SECOND_DAY}", begins):
        found = digests.first_mismatch()
    assert found
    assert found.day == second
    assert "hash to" in found.reason


@pytest.mark.parametrize("change", ["code = 'grant'", "reference = 'x y'"])
def test_a_change_to_a_transfer_names_the_first_day_of_its_entries(
    chain: list[LedgerDigest], change: str
) -> None:
    entry = entries_of(chain[2])[-1]
    with damaged(f"UPDATE payments_transfer SET {change} WHERE id = %s", entry.transfer_id):
        found = digests.first_mismatch()
        first = Entry.objects.filter(transfer_id=entry.transfer_id).order_by("id").first()
    assert found
    assert first in entries_of(next(sealed for sealed in chain if sealed.day == found.day))


def test_an_entry_that_is_put_into_a_sealed_day_names_it(chain: list[LedgerDigest]) -> None:
    empty = chain[3]
    with damaged(
        """
        INSERT INTO payments_entry
            (id, transfer_id, wallet_id, environment, account, amount_coins, balance_after_coins,
             sequence, created_at)
        SELECT %s, transfer_id, wallet_id, environment, account, amount_coins,
               balance_after_coins, sequence + 1000, created_at
        FROM payments_entry WHERE wallet_id IS NOT NULL LIMIT 1
        """,
        first_at(midnight(empty.day) + HOUR),
    ):
        found = digests.first_mismatch()
    assert found
    assert found.day == empty.day
    assert found.reason.startswith("1 entries hash to")


def test_two_entries_that_change_places_name_their_day(chain: list[LedgerDigest]) -> None:
    one, other = (entry.id for entry in entries_of(chain[1])[:2])
    rename, aside = "UPDATE payments_entry SET id = %s WHERE id = %s", uuid4()
    with damaged(rename, aside, one):
        with replica() as cursor:
            cursor.execute(rename, [one, other])
            cursor.execute(rename, [other, aside])
        found = digests.first_mismatch()
    assert found
    assert found.day == chain[1].day


def test_an_entry_that_moves_to_the_day_after_names_the_day_it_left(
    chain: list[LedgerDigest],
) -> None:
    moved = entries_of(chain[0])[-1]
    with damaged(
        "UPDATE payments_entry SET id = %s WHERE id = %s",
        first_at(midnight(chain[1].day)), moved.id,
    ):  # fmt: skip
        assert digests.first_mismatch().day == chain[0].day


def test_entries_before_the_first_day_are_named(chain: list[LedgerDigest]) -> None:
    moved, before = entries_of(chain[2])[0], midnight(chain[0].day) - HOUR
    with damaged(
        "UPDATE payments_entry SET id = %s WHERE id = %s",
        first_at(before), moved.id,
    ):  # fmt: skip
        assert digests.first_mismatch() == Mismatch(before.date(), "it has no digest")


def test_a_digest_that_is_gone_is_named(chain: list[LedgerDigest]) -> None:
    with damaged("DELETE FROM payments_ledgerdigest WHERE day = %s", chain[2].day):
        assert digests.first_mismatch() == Mismatch(chain[2].day, "it has no digest")


@pytest.mark.parametrize("place", [0, 1, 4])
def test_a_digest_that_was_changed_is_named(chain: list[LedgerDigest], place: int) -> None:
    day = chain[place].day
    with damaged("UPDATE payments_ledgerdigest SET digest = %s WHERE day = %s", "0" * 64, day):
        assert digests.first_mismatch().day == day


def test_a_day_made_anew_by_itself_breaks_the_chain(chain: list[LedgerDigest]) -> None:
    statement = f"UPDATE payments_entry SET amount_coins = 9 WHERE {OF_THE_SECOND_DAY}"
    with damaged(statement, first_at(midnight(chain[1].day))):
        digest, count = digests.digest_of(chain[1].day, previous=chain[0].digest)
        with replica() as cursor:
            cursor.execute(
                "UPDATE payments_ledgerdigest SET digest = %s, entry_count = %s WHERE day = %s",
                [digest, count, chain[1].day],
            )
        found = digests.first_mismatch()
    assert found == Mismatch(chain[2].day, "its digest does not stand on that of the day before")


def test_the_application_can_neither_change_nor_delete_a_digest(
    chain: list[LedgerDigest],
) -> None:
    for change in (
        lambda: LedgerDigest.objects.update(entry_count=F("entry_count") + 1),
        lambda: LedgerDigest.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            change()
    assert list(LedgerDigest.objects.order_by("day")) == chain


def test_the_chain_sees_a_history_that_was_rewritten_so_that_every_rule_holds(
    chain: list[LedgerDigest],
) -> None:
    transfer_id = entries_of(chain[1])[0].transfer_id
    with damaged(
        "UPDATE payments_entry SET created_at = created_at - interval '1 day'"
        " WHERE transfer_id = %s",
        transfer_id,
    ):
        assert ledger_rules.broken() == []
        assert digests.first_mismatch() is not None
