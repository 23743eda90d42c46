"""A report is the same figures in every format, and in none of them does text run."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import load_workbook

from analytics.reports import ltv, offer_choice, repurchase, retention, revenue, rhythm, tables
from analytics.reports.arpu import Bucket
from analytics.reports.local_days import Period
from analytics.reports.offer_choice import OffersBy
from analytics.reports.report import Report
from analytics.reports.retention import Mode
from analytics.reports.sources import Source
from config import table_files, xlsx_files
from config.csv_files import Cell, Table
from config.table_files import TableFormat
from tests.analytics.lakes import DAY, Row, lake, opened_app, utc

FIRST = utc("2026-03-01 10:00")
SERIES = str(UUID(int=7))
INJECTED = "=HYPERLINK(1)"


def _reports() -> list[Report]:
    """One with a label among its dates and a share among its counts, one of money, one with foreign text."""
    rows = [opened_app(viewer, FIRST + n * DAY) for viewer in "ab" for n in (0, 1, 2)]
    unlock = {
        "unlock_id": "1",
        "means": "coins",
        "viewer_id": "a",
        "series_id": SERIES,
        "coins": 60,
        "value_micros": 123_456_789,
        "created_at": FIRST,
    }
    title = {"series_id": SERIES, "external_id": INJECTED, "locale": "en"}
    decision = {
        "decision_id": "1",
        "viewer_id": "a",
        "episode_id": "e",
        "policy_id": SERIES,
        "policy": INJECTED,
        "rule_place": 1,
        "rule_name": INJECTED,
        "arm": "plain",
        "shows_ad": False,
        "ad_propensity": 0,
        "decided_at": FIRST,
    }
    facts = {
        "unlocks": [unlock],
        "titles": [title],
        "sales": [_sale("1", FIRST), _sale("2", FIRST + DAY)],
        "offer_decisions": [decision],
    }
    with lake(rows[:-1], watermark=FIRST + 4 * DAY, tables=facts) as source:
        return _made(source)


def _made(source: Source) -> list[Report]:
    return [
        retention.matrix(source=source, by=Period.DAY, mode=Mode.CALENDAR, horizon=3),
        ltv.table(source=source, by=Period.DAY, currency="USD"),
        repurchase.table(source=source, by=Bucket.DAY, horizon=3),
        rhythm.table(source=source, currency="USD"),
        *(offer_choice.table(source=source, currency="USD", by=by) for by in OffersBy),
        revenue.by_title(source=source, currency="USD"),
    ]


def _sale(name: str, at: datetime) -> Row:
    paid = {"paid_micros": 100, "gross_micros": 100}
    when = {"sold_at": at, "created_at": at}
    return {"purchase_id": name, "source": "coins", "viewer_id": "a"} | paid | when


def _parquet(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content))


def _xlsx(content: bytes) -> Any:
    return load_workbook(io.BytesIO(content))


def _as_text(rows: Any) -> list[list[str]]:
    """Cells as CSV has them, but for the apostrophe before what could be a formula."""
    return [[_plain(cell) for cell in row] for row in rows]


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, datetime):
        cell = cell.date() if cell.time() == datetime.min.time() else cell
    if isinstance(cell, date):
        return cell.isoformat()
    return repr(float(cell)) if isinstance(cell, int | float) else str(cell)


def test_every_format_has_the_figures_of_the_table() -> None:
    for report in _reports():
        table = tables.of(report)
        expected = _as_text(table.rows)

        parquet = _parquet(table_files.write(table, TableFormat.PARQUET))
        sheet = _xlsx(table_files.write(table, TableFormat.XLSX))[xlsx_files.FIGURES]
        lines = [
            line
            for line in table_files.write(table, TableFormat.CSV).decode().splitlines()
            if not line.startswith("# ")
        ]

        assert parquet.column_names == list(table.columns)
        assert _as_text(zip(*(column.to_pylist() for column in parquet.columns), strict=True)) == (
            expected
        )
        head, *rows = sheet.iter_rows(values_only=True)
        assert list(head) == list(table.columns)
        assert _as_text(rows) == expected
        _, *filed = csv.reader(lines)
        numbers = [[cell.replace("'=", "=") for cell in row] for row in filed]
        assert [[_number(cell) for cell in row] for row in numbers] == expected


def _number(cell: str) -> str:
    try:
        return repr(float(cell))
    except ValueError:
        return cell


def test_every_format_says_what_the_json_says() -> None:
    for report in _reports():
        table = tables.of(report)
        told = msgspec.json.decode(msgspec.json.encode(report))

        metadata = _parquet(table_files.write(table, TableFormat.PARQUET)).schema.metadata
        about = _xlsx(table_files.write(table, TableFormat.XLSX))[xlsx_files.ABOUT]

        for name in Report.__struct_fields__:
            text = metadata[name.encode()].decode()
            assert (text if isinstance(told[name], str) else msgspec.json.decode(text)) == (
                told[name]
            )
        sheet = {str(name): text for name, text in about.iter_rows(values_only=True)}
        assert sheet["engine"] == "DuckDB"
        assert datetime.fromisoformat(sheet["watermark"]) == report.watermark
        assert sheet["reporting zone"] == "UTC"
        first = report.definition[0]
        assert sheet[f"{first.key} ({first.name})"] == first.sentence().partition(": ")[2]


def test_types_of_columns_depend_on_no_figure() -> None:
    full = _reports()
    with lake([], watermark=FIRST) as source:
        empty = _made(source)

    for one, other in zip(full, empty, strict=True):
        schemas = [
            _parquet(table_files.write(tables.of(report), TableFormat.PARQUET)).schema
            for report in (one, other)
        ]
        assert schemas[0].equals(schemas[1], check_metadata=False)
    types = dict(zip(schemas[0].names, schemas[0].types, strict=True))
    assert (types["coins_spent"], types["is_complete"]) == (pa.int64(), pa.bool_())
    assert types["external_id"] == pa.string()


def test_cells_of_a_workbook_are_of_their_types() -> None:
    moment = datetime(2026, 3, 8, 9, tzinfo=UTC)
    row: list[Cell] = [1, 2.5, True, date(2026, 3, 8), moment, INJECTED, UUID(int=1), None, 2**60]
    table = Table(["a: b"], [f"c{n}" for n in range(len(row))], [row])

    cells = list(_xlsx(table_files.write(table, TableFormat.XLSX))[xlsx_files.FIGURES])[1]

    assert [cell.data_type for cell in cells] == list("nnbddssnn")
    assert cells[5].value == INJECTED
    assert cells[5].quotePrefix
    assert [cells[3].value, cells[4].value] == [datetime(2026, 3, 8), datetime(2026, 3, 8, 9)]  # noqa: DTZ001
    assert cells[8].value == 2**60


def test_no_text_is_a_formula_in_a_workbook_and_parquet_keeps_it() -> None:
    firsts = [*map(chr, range(0x250)), "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ud800", "\uffff"]
    texts = [first + rest for first in firsts for rest in ("1+1", "cmd|' /C calc'!A0")]
    cells: list[Cell] = [*texts, 1]
    table = Table(texts[:3], ["name"], [[cell] for cell in cells])

    book = _xlsx(table_files.write(table, TableFormat.XLSX))
    parquet = _parquet(table_files.write(table, TableFormat.PARQUET))

    for sheet in book:
        for row in sheet:
            assert {cell.data_type for cell in row} <= {"s", "n"}
    *_, last = book[xlsx_files.FIGURES]["A"]
    assert (last.value, last.row) == (1, len(texts) + 2)
    kept = [text.encode("utf-8", "replace").decode() for text in texts]
    assert parquet["name"].to_pylist() == [*kept, "1"]
