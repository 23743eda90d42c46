"""An analyst opens a report in a spreadsheet: the figures are all there, and nothing in it runs."""

import csv
import io
import re
from datetime import UTC, date, datetime
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.reports import definitions, funnels, retention, revenue, tables
from analytics.reports.local_days import Period
from analytics.reports.report import Report
from analytics.reports.retention import Mode
from config import csv_files
from config.csv_files import Table
from tests.analytics.lakes import lake, opened_app, played, utc

DANGEROUS = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"


def _rows(content: bytes) -> list[list[str]]:
    text = content.decode()
    return list(csv.reader(io.StringIO(text, newline="")))


@settings(max_examples=300, deadline=None)
@given(text=st.text(), first=st.characters())
@example(text="cmd|' /C calc'!A0", first="=")
def test_no_text_becomes_a_formula(text: str, first: str) -> None:
    table = Table(notes=[], columns=["a", first + text], rows=[[first + text, text]])

    for row in _rows(csv_files.write(table)):
        for cell in row:
            assert cell[:1] == "" or cell[0] not in DANGEROUS


def test_every_first_character_there_is_is_judged() -> None:
    for code in range(0x11_0000):
        character = chr(code)
        cell = csv_files._cell(character + "1")
        assert cell == ("'" if character in DANGEROUS else "") + character + "1"


@settings(max_examples=300, deadline=None)
@given(note=st.text(alphabet=st.sampled_from('=+-@\t\r\n\0 ,;|"a\uff1d'), max_size=20))
def test_notes_run_nothing_either_however_a_spreadsheet_splits_them(note: str) -> None:
    content = csv_files.write(Table(notes=[note], columns=["a"], rows=[])).decode()

    lines = content.split("\r\n")
    assert lines[0].startswith("# ")
    assert lines[1:] == ["a", ""]
    for cell in re.split(r"[,;\t|]", lines[0]):
        assert cell.strip(" ")[:1] not in set(DANGEROUS)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_numbers(number: float) -> None:
    (_, (cell,)) = _rows(csv_files.write(Table(notes=[], columns=["a"], rows=[[number]])))

    assert type(number)(cell) == number


def test_text_of_any_kind_comes_back_as_it_was() -> None:
    values = ["a,b", 'say "no"', "two\nlines", "海伦历险记", "", "plain"]
    (_, read) = _rows(csv_files.write(Table(notes=[], columns=["a"], rows=[values])))

    assert read == values


def test_what_is_not_known_is_empty_and_dates_are_iso() -> None:
    row = [None, True, date(2026, 3, 8), datetime(2026, 3, 8, 9, tzinfo=UTC), 0]

    (_, read) = _rows(csv_files.write(Table(notes=[], columns=["a"], rows=[row])))

    assert read == ["", "true", "2026-03-08", "2026-03-08T09:00:00+00:00", "0"]


def _retention() -> Report:
    rows = [opened_app("a", utc("2026-03-01 10:00")), opened_app("a", utc("2026-03-02 10:00"))]
    with lake(rows, watermark=utc("2026-03-03 12:00")) as source:
        return retention.matrix(source=source, by=Period.DAY, mode=Mode.CALENDAR, horizon=2)


def test_a_file_says_what_its_figures_mean_and_has_the_same_ones() -> None:
    content = csv_files.write(tables.of(_retention())).decode()

    notes = [line for line in content.splitlines() if line.startswith("# ")]
    assert notes[0].startswith("# retention_calendar (calendar retention): ")
    assert notes[1:] == [
        "# reporting zone: UTC",
        "# watermark: 2026-03-03T12:00:00+00:00",
        "# filters: none",
        (
            "# population: environment production, 0 sandbox viewers left out, 0 flagged viewers and "
            "0 flagged playback sessions left out"
        ),
        "# engine: DuckDB",
    ]
    assert content.splitlines()[len(notes) :] == [
        "starts_on,viewers,active_0,active_1,active_2",
        "2026-03-01,1,1,1,",
        "total_active,,1,1,",
        "total_viewers,,1,1,0",
        "total_share,,1.0,1.0,",
    ]


def test_tables_are_as_wide_as_their_heads() -> None:
    rows = [played("a", utc("2026-03-01 10:00"), series=str(UUID(int=1)))]
    with lake(rows, watermark=utc("2026-04-01 00:00")) as source:
        made = [funnels.paywall(source=source), revenue.by_title(source=source, currency="USD")]

    for report in [*made, _retention()]:
        table = tables.of(report)
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_every_definition_says_everything() -> None:
    keys = [definition.key for definition in definitions.ALL]
    assert len(set(keys)) == len(keys)
    for definition in definitions.ALL:
        assert all(getattr(definition, name) for name in definition.__struct_fields__)
