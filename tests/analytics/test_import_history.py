"""A team brings its past: once, with what cannot be read told by its line, and nothing of it spendable."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, transaction
from hypothesis import given
from hypothesis import strategies as st

from analytics.history import cells, imports, mapping
from analytics.history.cells import Cells
from analytics.history.imports import Outcome
from analytics.history.lines import Code, Line, LineRefused
from analytics.history.mapping import MappingRefused, Unit
from analytics.lake import orphans, reading
from analytics.models import (
    ChangedHour,
    ErasedViewer,
    HistoryImport,
    HistoryPart,
    LakeFile,
    RefusedLine,
)
from analytics.reports import ltv, money, sources
from analytics.reports.local_days import Period, day_number
from payments.models import ExchangeRate, ImportedPurchase, Lot, Transfer, Wallet
from tests.analytics import rolled
from tests.analytics.lakes import DAY, HOUR, lake, opened_app, utc
from tests.factories.catalog import EpisodeVersionFactory
from viewers import imported_viewers
from viewers.models import ImportedViewer, Viewer

EVENTS = Path("docs/history/events.toml")
HEAD = "uuid,name,at,user,os,country,session,show,episode,cut,from_s,to_s,played_s\n"
PURCHASES = """
source = "shop"
kind = "purchases"
[id]
columns = ["order"]
[viewer]
column = "buyer"
[purchase]
at = "at"
gross = "paid"
tax = "tax"
currency = "currency"
rates = { GBP = "1.25" }
"""


@pytest.fixture
def brought(
    own_lake: Path, tmp_path: Path, now: datetime
) -> Callable[..., tuple[mapping.Mapping, Path]]:
    """Writes a mapping and a file, for an import."""

    def write(text: str, by: str | Path = PURCHASES, name: str = "a.csv") -> Any:
        if isinstance(by, str):
            (tmp_path / "mapping.toml").write_text(by)
            by = tmp_path / "mapping.toml"
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        return mapping.read(by), tmp_path / name

    return write


def _refused(outcome: Outcome) -> list[tuple[int, str]]:
    return [(each.line, str(each.code)) for each in outcome.refused]


@pytest.mark.django_db
def test_bad_lines_are_told_and_harm_nothing_around_them(
    brought: Callable[..., Any], now: datetime
) -> None:
    ExchangeRate.objects.create(
        currency="EUR", day=utc("2025-03-01 00:00").date(), rate="1.1", source="ECB", created_at=now
    )
    by, path = brought(
        "order,buyer,at,paid,tax,currency\n"
        "1,ann,2025-03-01T10:00:00Z,9.99,0.99,USD\n"
        "2,ann,2025-03-01T10:00:00Z,10,,EUR\n"
        "3,bob,2025-03-01T10:00:00+02:00,8,0,GBP\n"
        "1,ann,2025-03-01T10:00:00Z,9.99,0.99,USD\n"
        "4,,2025-03-01T10:00:00Z,9.99,0,USD\n"
        ",eve,2025-03-01T10:00:00Z,9.99,0,USD\n"
        "5,eve,yesterday,9.99,0,USD\n"
        "6,eve,2025-03-01T10:00:00,9.99,0,USD\n"
        "7,eve,2027-03-01T10:00:00Z,9.99,0,USD\n"
        "8,eve,1969-03-01T10:00:00Z,9.99,0,USD\n"
        "9,eve,2025-03-01T10:00:00Z,much,0,USD\n"
        "10,eve,2025-03-01T10:00:00Z,-1,0,USD\n"
        "11,eve,2025-03-01T10:00:00Z,1.0000001,0,USD\n"
        "12,eve,2025-03-01T10:00:00Z,1,2,USD\n"
        "13,eve,2025-03-01T10:00:00Z,1,0,dollars\n"
        "14,eve,2025-03-01T10:00:00Z,1,0,JPY\n"
        "15,eve,2025-03-01T10:00:00Z,1\n"
        "16,e\udcffve,2025-03-01T10:00:00Z,1,0,USD\n"
        "17,eve,2025-03-01T10:00:00Z,1e999999,0,USD\n"
    )

    rehearsed = imports.rehearse(by, path, now=now)
    nothing = (HistoryImport, ImportedPurchase, ImportedViewer, Viewer, RefusedLine)
    assert not any(model.objects.exists() for model in nothing)
    outcome = imports.bring(by, path, now=now)

    assert outcome == rehearsed
    assert (outcome.lines, outcome.kept, outcome.known) == (19, 3, 1)
    assert _refused(outcome) == [
        (6, "viewer_missing"),
        (7, "id_missing"),
        (8, "time_unreadable"),
        (9, "time_unreadable"),
        (10, "time_out_of_range"),
        (11, "time_out_of_range"),
        (12, "amount_unreadable"),
        (13, "amount_out_of_range"),
        (14, "amount_unreadable"),
        (15, "amount_out_of_range"),
        (16, "currency_unknown"),
        (17, "rate_missing"),
        (18, "not_readable"),
        (19, "not_readable"),
        (20, "amount_unreadable"),
    ]
    assert RefusedLine.objects.count() == 15
    assert list(ImportedPurchase.objects.order_by("net_micros").values_list("net_micros")) == [
        (9_000_000,),
        (10_000_000,),
        (11_000_000,),
    ]
    assert set(Viewer.objects.values_list("created_at", flat=True)) == {
        utc("2025-03-01 10:00"),
        utc("2025-03-01 08:00"),
    }


@pytest.mark.django_db
def test_what_was_imported_stays_as_it_was_and_moves_no_coin(
    brought: Callable[..., Any], now: datetime
) -> None:
    head = "order,buyer,at,paid,tax,currency\n"
    first = "1,ann,2025-03-01T10:00:00Z,9.99,0,USD\n"
    by, path = brought(head + first)
    imports.bring(by, path, now=now)
    kept = list(ImportedPurchase.objects.values())

    again = imports.bring(by, path, now=now + DAY)
    assert (again.was_done, again.kept) == (True, 1)
    by, path = brought(head + first + "2,ann,2025-04-01T10:00:00Z,1,0,USD\n", name="b.csv")
    longer = imports.bring(by, path, now=now + DAY)
    by, path = brought(head + first.replace("9.99", "99.9"), name="c.csv")
    other = imports.bring(by, path, now=now + DAY)

    assert (longer.kept, longer.known) == (1, 1)
    assert (other.kept, _refused(other)) == (0, [(2, "known_differently")])
    assert list(ImportedPurchase.objects.filter(source_id='["1"]').values()) == kept
    assert Viewer.objects.count() == 1
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ImportedPurchase.objects.update(gross_micros=1)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ImportedPurchase.objects.all().delete()
    assert not any(model.objects.exists() for model in (Wallet, Lot, Transfer))
    imported_viewers.forget(Viewer.objects.get().id)
    assert not ImportedViewer.objects.exists()


def _told(version: Any) -> str:
    episode = version.episode
    titles = f"{episode.series.external_id},{episode.external_id},{version.external_id}"
    lines = [
        "e1,open,2025-07-01 20:00:00,ann,ios,US,,,,,,,",
        f"e2,watched,2025-07-01 21:00:00,ann,ios,US,s1,{titles},0,12,12",
        "e3,debug,2025-07-01 21:00:00,ann,ios,US,,,,,,,",
        "e4,open,2025-01-08 23:30:00,bob,android,DE,,,,,,,",
        f"e5,watched,2025-07-01 21:00:00,ann,ios,US,s1,{titles},0,600,12",
        f"e6,watched,2025-07-01 21:00:00,ann,ios,US,s1,{titles},9,3,12",
        "e7,watched,2025-07-01 21:00:00,ann,ios,US,s1,nowhere,1,1,0,12,12",
        "e8,boom,2025-07-01 21:00:00,ann,ios,US,,,,,,,",
        "e9,open,2025-07-01 21:00:00,ann,tv,US,,,,,,,",
        f"e10,watched,2025-07-01 21:00:00,ann,ios,US,s1,{titles},zero,12,12",
    ]
    return HEAD + "\n".join(lines) + "\n"


@pytest.mark.django_db(transaction=True)
def test_dashboards_count_an_imported_past_where_it_happened_and_as_late_nowhere(
    brought: Callable[..., Any], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = _told(EpisodeVersionFactory())
    # More than 48 hours ago, and few enough hours to fill.
    lately = told.replace("2025-07-01", "2026-03-10").replace("2025-01-08", "2026-03-09")
    by, path = brought(lately, EVENTS)
    monkeypatch.setattr(imports, "LINES_PER_PART", 4)
    with monkeypatch.context() as broken:
        broken.setattr(imports, "_keep_part", _failing_at(1, imports._keep_part))
        with pytest.raises(KeyboardInterrupt):
            imports.bring(by, path, now=now)
    imports.bring(by, path, now=now + HOUR)

    rolled.fill(now + 2 * HOUR)

    sums = Counter[str]()
    for (metric, *_), value in rolled.held().items():
        sums[metric] += value
    assert [sums[name] for name in ("events", "new_viewers", "starts", "watch_time")] == [
        3,
        2,
        1,
        12_000,
    ]
    assert sums["late_events"] == 0
    first_opens = {key[1:3] for key in rolled.held() if key[0] == "new_viewers"}
    assert (utc("2026-03-10 03:30"), "production") in first_opens


def _lake() -> list[tuple[Any, ...]]:
    columns = "type, occurred_at, viewer_id, platform, series_id, to_ms, batch_id"
    with reading.connection() as connection:
        found = connection.execute(f"SELECT {columns} FROM events ORDER BY occurred_at, type")
        return [(row[0], row[1].replace(tzinfo=UTC), *row[2:]) for row in found.fetchall()]


@pytest.mark.django_db
def test_events_come_into_the_lake_once_and_an_import_goes_on_where_it_was_left(
    brought: Callable[..., Any], own_lake: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = EpisodeVersionFactory()
    by, path = brought(_told(version), EVENTS)
    monkeypatch.setattr(imports, "LINES_PER_PART", 4)
    with monkeypatch.context() as broken:
        broken.setattr(imports, "_keep_part", _failing_at(1, imports._keep_part))
        with pytest.raises(KeyboardInterrupt):
            imports.bring(by, path, now=now)
    assert (HistoryPart.objects.count(), LakeFile.objects.count()) == (1, 0)
    assert _lake() == []
    # What it has written is neither swept nor given up as long as somebody may go on with it.
    for file in own_lake.rglob("history-*"):
        os.utime(file, (0, 0))
    assert (orphans.sweep(now=now + 6 * DAY), imports.give_up(now=now + 6 * DAY)) == (0, 0)
    erased = ErasedViewer.objects.create(viewer_id=uuid4(), file_count=0, erased_at=now + HOUR)
    ErasedViewer.objects.create(viewer_id=uuid4(), file_count=0, erased_at=now - HOUR)

    outcome = imports.bring(by, path, now=now + HOUR)

    assert erased not in ErasedViewer.objects.all()
    assert ErasedViewer.objects.count() == 1
    assert set(ChangedHour.objects.values_list("hour", "is_late")) == {
        (utc("2025-01-09 04:00"), False),
        (utc("2025-07-02 00:00"), False),
        (utc("2025-07-02 01:00"), False),
    }

    viewers = imported_viewers.known("old-backend", ["ann", "bob"])
    made = HistoryImport.objects.get()
    ours = (str(version.episode.series_id), str(made.id))
    assert _lake() == [
        (
            "app_open",
            utc("2025-01-09 04:30"),
            str(viewers["bob"]),
            "android",
            None,
            None,
            ours[1],
        ),
        ("app_open", utc("2025-07-02 00:00"), str(viewers["ann"]), "ios", None, None, ours[1]),
        (
            "playback_progress",
            utc("2025-07-02 01:00"),
            str(viewers["ann"]),
            "ios",
            ours[0],
            12_000,
            ours[1],
        ),
    ]
    assert (outcome.lines, outcome.kept, outcome.left_out) == (10, 3, 1)
    assert _refused(outcome) == [
        (6, "progress_implausible"),
        (7, "progress_backwards"),
        (8, "unknown_title"),
        (9, "unknown_type"),
        (10, "malformed_event"),
        (11, "malformed_event"),
    ]
    assert sources.imported() == ["imported from old-backend: 3 events"]

    before = _lake()
    by, path = brought(
        _told(version).replace("e9,", "e11,").replace(",tv,", ",web,"), EVENTS, "b.csv"
    )
    longer = imports.bring(by, path, now=now + DAY)
    assert (longer.kept, longer.known) == (1, 3)
    assert [row for row in _lake() if row[-1] == str(made.id)] == before
    assert len(_lake()) == 4


@pytest.mark.django_db
def test_an_import_that_nobody_goes_on_with_leaves_nothing_and_can_begin_anew(
    brought: Callable[..., Any], own_lake: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, path = brought(HEAD + "e1,open,2025-07-01 20:00:00,ann,ios,US,,,,,,,\n", EVENTS)
    with monkeypatch.context() as broken:
        broken.setattr(imports, "_enter", _failing_at)
        with pytest.raises(TypeError):
            imports.bring(by, path, now=now)
    assert [*own_lake.rglob("history-*")]

    assert imports.give_up(now=now + 7 * DAY) == 1

    assert not [*own_lake.rglob("history-*")]
    assert not HistoryImport.objects.exists()
    assert imports.bring(by, path, now=now + 8 * DAY).kept == 1


def _failing_at(number: int, keep: Callable[..., None]) -> Callable[..., None]:
    """What keeps a part, and is killed at one."""

    def kill(made: Any, part: int, *rest: Any) -> None:
        if part == number:
            raise KeyboardInterrupt
        keep(made, part, *rest)

    return kill


@pytest.mark.django_db
def test_parquet_is_read_as_csv_is_and_the_command_says_what_is_wrong(
    brought: Callable[..., Any], now: datetime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    brought("")
    columns = {
        "order": [1, 2],
        "buyer": ["ann", None],
        "at": pa.array([datetime(2025, 3, 1, 10, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
        "paid": pa.array(["9.99", "1.00"]).cast(pa.decimal128(10, 2)),
        "tax": [None, 0.5],
        "currency": ["USD", "USD"],
    }
    pq.write_table(pa.table(columns), tmp_path / "b.parquet")
    by = str(tmp_path / "mapping.toml")

    call_command("import_history", by, str(tmp_path / "b.parquet"))

    told = capsys.readouterr()
    assert "2 lines, 1 added, 0 known, 0 left out, 1 refused." in told.out
    assert told.err.startswith("line 2: viewer_missing: ")
    assert ImportedPurchase.objects.get().gross_micros == 9_990_000
    for name, content, complaint in (
        ("c.csv", "order,buyer\n", "no column"),
        ("d.csv", "order,order\n", "same name"),
        ("e.csv", "", "no column"),
        ("f.parquet", "order", "no Parquet file"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(CommandError, match=complaint):
            call_command("import_history", by, str(tmp_path / name))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_history", by, str(tmp_path / "none.csv"))
    assert HistoryImport.objects.count() == 1


def test_reports_of_payers_count_imported_purchases_and_those_of_the_ledger_do_not() -> None:
    at = utc("2026-03-01 10:00")
    bill = {
        "source": "imported",
        "viewer_id": "a",
        "paid_micros": 7,
        "gross_micros": 7,
        "tax_micros": 0,
        "fee_micros": 1,
        "refunds_micros": 0,
        "net_micros": 6,
        "created_at": at + HOUR,
    }
    with lake([opened_app("a", at)], watermark=at + 9 * DAY, tables={"billings": [bill]}) as source:
        of_payers = ltv.table(source=source, by=Period.DAY, currency="USD", horizons=(0,))
        of_ledger = money.by_day(source=source, currency="USD", since=at.date(), until=at.date())
        day = day_number(at.date())
        found = source.rows("money_days", watermark=source.watermark, first_day=day, last_day=day)

    assert of_payers.cohorts[0].values[0].net_micros == 6
    assert {total.net_micros for total in of_ledger.totals} == {0}
    assert "imported" not in {row[1] for row in found}
    assert {total.deferred_micros for total in of_ledger.totals} == {0}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("source = 1", "source"),
        ("not toml", "Expected"),
        (PURCHASES.replace("[id]", "[ids]"), "ids"),
        (PURCHASES.replace('"shop"', '"The Shop"'), "source"),
        (PURCHASES.replace('"purchases"', '"events"'), r"has \[event\]"),
        (PURCHASES.replace('gross = "paid"', 'gross = { column = "a", value = 1 }'), "either"),
        (PURCHASES + '[time]\nzone = "Mars/Base"', "no time zone"),
        (EVENTS.read_text().replace('"app_open"', '"app_shut"'), "no event type 'app_shut'"),
        (EVENTS.read_text().replace("from_ms", "from_m"), "a member 'from_m'"),
    ],
)
def test_a_mapping_is_strict(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(text)

    with pytest.raises(MappingRefused, match=complaint):
        mapping.read(tmp_path / "m.toml")


def _cells(at: str = "", *, form: str = "rfc3339", zone: str = "", paid: str = "") -> Cells:
    by = mapping.Mapping(
        source="s",
        kind="purchases",
        id=mapping.IdShape(columns=["at"]),
        viewer=mapping.ViewerShape(column="at"),
        time=mapping.TimeShape(format=form, zone=zone),
    )
    return Cells(Line(1, {"at": at, "paid": paid}), by)


@pytest.mark.parametrize(
    ("cell", "form", "zone", "meant"),
    [
        ("2025-03-01T10:00:00Z", "rfc3339", "", "2025-03-01 10:00"),
        ("2025-03-01 10:00", "rfc3339", "Asia/Shanghai", "2025-03-01 02:00"),
        ("1740823200", "unix", "", "2025-03-01 10:00"),
        ("1740823200000", "unix_ms", "", "2025-03-01 10:00"),
        ("01/03/25 10", "%d/%m/%y %H", "Europe/Berlin", "2025-03-01 09:00"),
        # Clocks went back: the earlier of the two.
        ("2024-11-03 01:30", "rfc3339", "America/New_York", "2024-11-03 05:30"),
    ],
)
def test_a_time_is_read_in_its_zone(
    cell: str, form: str, zone: str, meant: str, now: datetime
) -> None:
    assert _cells(cell, form=form, zone=zone).moment("at", now=now) == utc(meant)


@given(micros=st.integers(0, 10**15), unit=st.sampled_from(Unit))
def test_an_amount_is_read_to_the_micro(micros: int, unit: Unit) -> None:
    scale = cells._MICROS[unit]
    whole, rest = divmod(micros, scale)
    digits = len(str(scale)) - 1
    text = f"{whole}.{rest:0{digits}d}" if digits else str(whole)

    assert _cells(paid=text).micros("paid", unit) == micros
    with pytest.raises(LineRefused) as refusal:
        _cells(paid=f"{text}{'' if digits else '.'}{'0' * 3}1").micros("paid", unit)
    assert refusal.value.code == Code.AMOUNT_UNREADABLE or micros == 10**15


def test_ids_are_the_same_for_ever() -> None:
    by = mapping.read(EVENTS)

    assert str(cells.derived(by, "event", '["e1"]')) == "e38e4659-19e7-5774-91ea-5a1294c28cbf"
