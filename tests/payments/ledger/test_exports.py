"""Exports for the books: complete, as of any moment, and safe to open."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from catalog.models import Series
from config.csv_files import Format
from payments.chart import REVENUE_ORIGINS
from payments.desk.grants import CoinGift
from payments.ledger import exports
from payments.ledger.exports import EntriesExport, LotsExport
from payments.models import Entry, Lot, LotMovement, PassPurchase, RefundBooking
from tests.factories.operators import operator
from tests.factories.viewers import pipeline_headers
from tests.payments.diary import Diary
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device, Scope


@pytest.fixture
def diary(device: Device, series: Series, now: datetime) -> Diary:
    return Diary(device.viewer_id, series, now, operator("olga"), operator("piet"))


def _read(path: str, *, now: datetime, **query: Any) -> Any:
    headers = pipeline_headers(now=now, scopes=[Scope.FINANCE_READ])
    return Client().get(f"/v1/finance/{path}", query, headers=headers)


def _lots(at: datetime) -> LotsExport:
    export = exports.lots(at=at)
    return msgspec.json.decode(b"".join(export.written(Format.JSON)), type=LotsExport)


def _table(content: bytes) -> tuple[list[str], list[dict[str, str]]]:
    text = content.decode().splitlines(keepends=True)
    notes = [line for line in text if line.startswith("# ")]
    return notes, list(csv.DictReader(io.StringIO("".join(text[len(notes) :]))))


def _file(at: datetime) -> bytes:
    return b"".join(exports.lots(at=at).written(Format.CSV))


def _a_year(diary: Diary) -> dict[datetime, bytes]:
    """A story with every way in which coins leave lots and come back; what was exported after each step."""
    written = {diary.now: _file(diary.now)}

    def after(step: Any) -> Any:
        written[diary.now] = _file(diary.now)
        return step

    first = after(diary.buy(paid=100, bonus=33, micros=9_990_001))
    after(diary.earn(17, value_micros=4_001))
    after(diary.unlock(9))
    after(diary.play(9))
    undone = after(diary.unlock(10))
    after(diary.undo(undone))
    after(diary.refund(first, name="part", micros=3_333_333))
    second = after(diary.buy(paid=61, micros=4_990_000))
    after(diary.unlock(11))
    after(diary.refund(second))
    after(diary.reverse(second))
    grant_id = after(diary.give(CoinGift(40)))
    after(diary.take_back(grant_id))
    after(diary.reverse(first, name="part"))
    return written


def _deferred_from_scratch(at: datetime) -> int:
    """Deferred revenue by hand: row by row, without a sum in SQL."""
    value = 0
    for lot in Lot.objects.all():
        if lot.origin in REVENUE_ORIGINS and lot.granted_at <= at:
            value += lot.value_micros
    for movement in LotMovement.objects.select_related("lot"):
        if movement.lot.origin in REVENUE_ORIGINS and movement.created_at <= at:
            value += movement.value_micros
    return value


def test_deferred_revenue_of_every_past_moment_is_the_sum_of_a_column(diary: Diary) -> None:
    told = {}
    for at in _a_year(diary):
        rows = _lots(at).rows
        told[at] = sum(row.deferred_micros for row in rows)
        assert told[at] == _deferred_from_scratch(at)
        revenue = [row for row in rows if row.origin in REVENUE_ORIGINS]
        assert told[at] == sum(row.remaining_value_micros for row in revenue)

    assert len(set(told.values())) >= 8
    assert told[diary.now] == sum(
        Lot.objects.filter(origin__in=REVENUE_ORIGINS).values_list(
            "remaining_value_micros", flat=True
        )
    )


def test_a_past_moment_is_exported_today_as_it_was_exported_then(diary: Diary) -> None:
    written = _a_year(diary)

    assert {at: _file(at) for at in written} == written
    assert len(set(written.values())) == len(written)


def test_a_lot_has_its_lineage(diary: Diary) -> None:
    bought = diary.buy(paid=100, bonus=20)
    diary.earn(5, value_micros=700)
    diary.unlock(9)

    bonus, paid, earned = sorted(
        _lots(diary.now).rows, key=lambda row: (row.origin != "pack_bonus", row.origin)
    )

    assert (paid.viewer_id, paid.environment, paid.kind) == (diary.viewer_id, "production", "paid")
    assert (paid.provider, paid.transaction_id) == ("fake", bought.transaction_id)
    assert (paid.purchase_id, paid.transfer_id) == (bought.id, bought.transfer_id)
    assert (paid.granted_coins, paid.remaining_coins, bonus.remaining_coins) == (100, 65, 0)
    assert (earned.transaction_id, earned.transfer_code, earned.value_micros) == (
        None,
        "reward",
        700,
    )
    assert earned.deferred_micros == 0


def test_coins_of_a_subscriptions_period_lead_back_to_it_at_every_moment(diary: Diary) -> None:
    story = Story(diary.viewer_id, diary.now, plan(coins=100))
    tell(story.paid(0), now=diary.now)
    given = diary.now
    tell(story.refund(0, at=diary.wait(days=1)), now=diary.now)
    taken = diary.now
    tell(story.reversal(0, at=diary.wait(days=1)), now=diary.now)

    left = []
    for at in (given, taken, diary.now):
        (row,) = _lots(at).rows
        left.append(row.remaining_coins)
    assert left == [100, 0, 100]
    assert (row.origin, row.provider, row.transaction_id) == ("period", "fake", f"{story.name}..0")
    assert (row.purchase_id, row.deferred_micros) == (PassPurchase.objects.get().id, 0)


def test_entries_are_the_whole_ledger_with_its_causes(diary: Diary) -> None:
    _a_year(diary)

    export = exports.entries(start=diary.now - timedelta(days=1), end=diary.now + timedelta(days=1))
    rows = msgspec.json.decode(b"".join(export.written(Format.JSON)), type=EntriesExport).rows

    assert [row.entry_id for row in rows] == list(
        Entry.objects.order_by("id").values_list("id", flat=True)
    )
    assert sum(row.amount_coins for row in rows) == 0
    balances = {str(row.account): row.balance_after_coins for row in rows if row.sequence}
    assert (balances["paid"], balances["bonus"]) == tuple(
        sum(Lot.objects.filter(kind=kind).values_list("remaining_coins", flat=True))
        for kind in ("paid", "bonus")
    )
    net = sum(row.refund_net_micros or 0 for row in rows)
    assert net == sum(RefundBooking.objects.values_list("net_micros", flat=True)) == 0
    taken = [row for row in rows if row.refund_net_micros]
    assert {row.account for row in taken} == {"refunds"}
    assert {row.refund_name for row in taken} == {"part", "all"}
    assert len(taken) == RefundBooking.objects.count()


def test_entries_of_a_span_include_its_start_and_not_its_end(diary: Diary) -> None:
    diary.buy(paid=10)
    start = diary.now
    diary.buy(paid=20)
    end = diary.now

    answer = _read("entries", now=end, **{"from": start.isoformat(), "to": end.isoformat()})

    rows = msgspec.json.decode(answer.getvalue())["rows"]
    assert [(row["account"], row["amount_coins"]) for row in rows] == [("paid", 10), ("store", -10)]
    empty = _read("entries", now=end, **{"from": start.isoformat(), "to": start.isoformat()})
    assert msgspec.json.decode(empty.getvalue())["rows"] == []
    refused = _read("entries", now=end, **{"from": end.isoformat(), "to": start.isoformat()})
    assert (refused.status_code, refused.json()["code"]) == (422, "span_reversed")


def test_a_file_has_units_in_its_columns_and_runs_nothing(diary: Diary) -> None:
    bought = diary.buy(paid=10)
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(
            "UPDATE payments_purchase SET transaction_id = %s WHERE id = %s",
            ["=HYPERLINK(1)", bought.id],
        )

    answer = _read("lots", now=diary.now, format="csv")
    notes, (row,) = _table(answer.getvalue())

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="lots.csv"'
    assert answer["Cache-Control"] == "no-store"
    assert notes == [f"# at: {diary.now}\r\n", "# currency: USD\r\n"]
    assert row["transaction_id"] == "'=HYPERLINK(1)"
    assert (row["granted_coins"], row["value_micros"]) == ("10", str(bought.net_micros))
    assert row["expires_at"] == ""


def test_rows_are_fetched_in_parts(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PART_ROWS", 2)
    for _ in range(5):
        diary.buy(paid=3)

    export = exports.lots(at=diary.now)
    parts = list(export.written(Format.JSON))

    assert len(parts) == 1 + 3 + 1
    assert len(msgspec.json.decode(b"".join(parts), type=LotsExport).rows) == 5


def _held() -> int:
    """Of this session, which the pool gives to the next request."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE 'payments_export%%'", [])
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_held_after_a_reader_who_left(diary: Diary) -> None:
    for read_parts in (0, 1, 3):
        diary.buy(paid=3)
        answer = _read("lots", now=diary.now)
        for _ in zip(range(read_parts), answer, strict=False):
            pass
        answer.close()

        assert _held() == 0


def test_an_export_is_one_moment_whatever_is_booked_while_it_is_read(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART_ROWS", 1)
    first = diary.buy(paid=60)
    diary.buy(paid=60)
    export = exports.lots(at=diary.now + timedelta(hours=1))
    parts = export.written(Format.JSON)
    begun = [next(parts), next(parts)]
    diary.refund(first)
    diary.unlock(9)

    rows = msgspec.json.decode(b"".join([*begun, *parts]), type=LotsExport).rows

    assert [row.remaining_coins for row in rows] == [60, 60]


def test_the_command_writes_the_same(
    diary: Diary, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    diary.buy(paid=10, bonus=5)
    at = diary.now.isoformat()
    expected = b"".join(exports.lots(at=diary.now).written(Format.CSV))

    call_command("export_lots", "--at", at)
    call_command("export_lots", "--at", at, "--output", str(tmp_path / "lots.csv"))

    assert capsysbinary.readouterr().out == expected
    assert (tmp_path / "lots.csv").read_bytes() == expected
    with pytest.raises(CommandError, match="2026-13-01"):
        call_command("export_lots", "--at", "2026-13-01")
    with pytest.raises(CommandError, match="time zone"):
        call_command("export_lots", "--at", "2026-03-01T00:00:00")


@pytest.mark.parametrize("query", [{"at": "0"}, {"at": ""}, {"at": "now"}, {"format": "xlsx"}])
def test_refuses_what_is_no_moment_and_no_format(
    db: None, now: datetime, query: dict[str, str]
) -> None:
    answer = _read("lots", now=now, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
