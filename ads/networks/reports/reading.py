"""Reading a network's report, whichever of its forms it has."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal

from ads.networks.reports import answers
from ads.networks.reports.base import Found, Refusal, ReportRow, ReportUnreadable
from ads.networks.reports.layouts import BY_NETWORK, FIELDS, GENERIC, REQUIRED, Layout

MAXIMUM_BYTES = 32 * 1024 * 1024
MAXIMUM_LINES = 500_000

_AMOUNT = re.compile(r"[$€£¥]?([0-9]{1,12}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.[0-9]{1,18})?")
#: Python and JSON write small floats so.
_SMALL = re.compile(r"[0-9](\.[0-9]{1,18})?e-[0-9]{1,2}")
_COUNT = re.compile(r"[0-9]{1,12}(\.0)?|[0-9]{1,3}(,[0-9]{3}){1,3}")
_COUNTRY = re.compile("[A-Za-z]{2}")
_CURRENCY = re.compile("[A-Za-z]{3}")
_UNIT = re.compile(r"[!-~]{0,100}")
#: `Est. earnings (USD)`
_IN_HEADER = re.compile(r"(.+?)\s*\(([A-Z]{3})\)")
_DAYS = ("%Y-%m-%d", "%Y%m%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y")
#: A user-level report has the moment of each impression, with fractions of a second.
_LONG_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|\+00:?00)?")
_NOWHERE = frozenset({"", "--", "-", "unknown", "n/a", "zz", "(not set)", "other", "null"})
_SUMS = frozenset({"total", "totals", "grand total", "all"})


class _LineRefused(Exception):
    """What is wrong with a line."""


def read(
    content: bytes,
    *,
    network: str,
    currency: str = "",
    mapping: Mapping[str, str] | None = None,
) -> Found:
    """The rows of a report, and the lines that cannot be read. `mapping` names a CSV file's columns by our
    fields, for a file that is none of the network's own; `currency` is that of a report which names none.

    Raises ReportUnreadable.
    """
    if len(content) > MAXIMUM_BYTES:
        raise ReportUnreadable(f"It is larger than {MAXIMUM_BYTES // 1024**2} MB.")
    if content.lstrip()[:1] in {b"[", b"{"}:
        layout, named = answers.flattened(content, network)
        lines: Iterable[tuple[int, Mapping[str, str]]] = (
            (number, {_plain(name): value for name, value in line.items()})
            for number, line in named
        )
    else:
        layout, lines = _csv(content, network, mapping or {})
    return _found(lines, currency or layout.currency, layout)


def _found(lines: Iterable[tuple[int, Mapping[str, str]]], currency: str, layout: Layout) -> Found:
    rows: list[ReportRow] = []
    refusals: list[Refusal] = []
    for number, line in lines:
        if len(rows) + len(refusals) >= MAXIMUM_LINES:
            raise ReportUnreadable(f"It has more than {MAXIMUM_LINES:,} lines.")
        values = {field: _value(line, layout.names[field]) for field in FIELDS}
        if values["day"].lower() in _SUMS:
            continue
        try:
            rows.append(_row(number, values, currency, layout))
        except _LineRefused as refused:
            refusals.append(Refusal(number, str(refused)))
    return Found(rows, refusals)


def _row(number: int, values: Mapping[str, str], currency: str, layout: Layout) -> ReportRow:
    return ReportRow(
        line_number=number,
        day=_day(values["day"]),
        ad_unit_id=_matched(values["ad_unit_id"], _UNIT, "no ad unit's id"),
        country=_country(values["country"]),
        impressions=_count(values["impressions"], layout),
        revenue_micros=_amount(values["revenue"]) * layout.unit,
        currency=_matched(
            values["currency"] or currency, _CURRENCY, "no currency: say which it is"
        ).upper(),
    )


def _value(line: Mapping[str, str], names: Iterable[str]) -> str:
    return next((line[name].strip() for name in map(_plain, names) if name in line), "")


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).lower()


def _csv(
    content: bytes, network: str, mapping: Mapping[str, str]
) -> tuple[Layout, Iterator[tuple[int, Mapping[str, str]]]]:
    """The lines of a CSV file by their headers in plain form; a currency in a header is a column."""
    text = _decoded(content)
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ("\t", ";") if mark in first and "," not in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    layout = _layout(network, mapping)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise ReportUnreadable(f"It is no CSV file: {error}.") from error
    names, fixed = _header(header)
    for field in REQUIRED:
        if not any(_plain(name) in names for name in layout.names[field]):
            wanted = " or ".join(layout.names[field])
            raise ReportUnreadable(f"It has no column {wanted}, which the {field} would be in.")
    return layout, _csv_lines(reader, names, fixed)


def _csv_lines(
    reader: Iterator[list[str]], names: list[str], fixed: Mapping[str, str]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        for number, cells in enumerate(reader, 2):
            if any(cell.strip() for cell in cells):
                yield number, {**fixed, **dict(zip(names, cells, strict=False))}
    except csv.Error as error:
        raise ReportUnreadable(f"It is no CSV file: {error}.") from error


def _header(header: list[str]) -> tuple[list[str], dict[str, str]]:
    names, fixed = [], {}
    for name in header:
        found = _IN_HEADER.fullmatch(name.strip())
        if found:
            fixed["currency"] = found[2]
        names.append(_plain(found[1] if found else name))
    return names, fixed


def _layout(network: str, mapping: Mapping[str, str]) -> Layout:
    if strangers := set(mapping) - set(FIELDS):
        raise ReportUnreadable(f"No fields of ours: {', '.join(sorted(strangers))}.")
    layout = BY_NETWORK.get(network, GENERIC)
    if not mapping:
        return layout
    named = {field: (mapping[field],) if field in mapping else () for field in FIELDS}
    return Layout(named, currency=layout.currency)


def _decoded(content: bytes) -> str:
    """Consoles export UTF-8, with and without a mark, and AdMob's UTF-16."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ReportUnreadable("It is no text.") from error
    if "\x00" in text:
        raise ReportUnreadable("It is no text: there is a NUL in it.")
    return text


def _day(text: str) -> date:
    if found := _LONG_DAY.fullmatch(text):
        text = found[1]
    for form in _DAYS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    raise _LineRefused(f"{text[:40]!r} is no day.")


def _country(text: str) -> str:
    if text.lower() in _NOWHERE:
        return ""
    return _matched(text, _COUNTRY, "no country of two letters").upper()


def _count(text: str, layout: Layout) -> int:
    if text == "":
        return int(layout.counts_lines)
    found = _matched(text, _COUNT, "no number of impressions")
    return int(found.partition(".")[0].replace(",", ""))


def _amount(text: str) -> Decimal:
    if _SMALL.fullmatch(text):
        return Decimal(text)
    return Decimal(_matched(text, _AMOUNT, "no amount").lstrip("$€£¥").replace(",", ""))


def _matched(text: str, shape: re.Pattern[str], complaint: str) -> str:
    if not shape.fullmatch(text):
        raise _LineRefused(f"{text[:40]!r} is {complaint}.")
    return text
