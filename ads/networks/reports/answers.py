"""Reports as networks' APIs answer them in JSON, flattened to the lines that a CSV file would have."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from ads.networks.reports.base import ReportUnreadable
from ads.networks.reports.layouts import ADMOB_API, BY_NETWORK, Layout

Line = Mapping[str, str]


def flattened(content: bytes, network: str) -> tuple[Layout, Iterator[tuple[int, Line]]]:
    """The layout of a network's answer, and its lines, numbered. Raises ReportUnreadable, also while they
    are read."""
    flatten = _ANSWERS.get(network)
    if flatten is None:
        raise ReportUnreadable("Of this network CSV files are read, and no JSON.")
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportUnreadable(f"It is no JSON: {error}.") from error
    layout = ADMOB_API if network == "admob" else BY_NETWORK[network]
    return layout, enumerate(_checked(flatten, document), 1)


def _checked(flatten: Callable[[Any], Iterator[Line]], document: Any) -> Iterator[Line]:
    try:
        yield from flatten(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReportUnreadable(
            f"It is not what this network's API answers: {error!r:.100}."
        ) from error


def _admob(document: Any) -> Iterator[Line]:
    """networkReport:generate, a stream that is one list: header, rows, footer. The footer counts the rows that
    there are: of a stream that was cut short they are not all here."""
    header, *rows, footer = document
    currency = header["header"]["localizationSettings"]["currencyCode"]
    if int(footer["footer"].get("matchingRowCount", 0)) != len(rows):
        raise ReportUnreadable("The answer ends before its last row.")
    for row in rows:
        dimensions, metrics = row["row"]["dimensionValues"], row["row"]["metricValues"]
        yield {
            "date": _text(dimensions["DATE"]["value"]),
            "ad_unit": _text(dimensions.get("AD_UNIT", {}).get("value", "")),
            "country": _text(dimensions.get("COUNTRY", {}).get("value", "")),
            "impressions": _text(metrics["IMPRESSIONS"]["integerValue"]),
            "estimated_earnings": _text(metrics["ESTIMATED_EARNINGS"]["microsValue"]),
            "currency": _text(currency),
        }


def _applovin(document: Any) -> Iterator[Line]:
    """The ad revenue report."""
    if document["code"] != 200:
        raise ReportUnreadable("AppLovin answered that it has no report.")
    yield from (_texts(row) for row in document["results"])


def _levelplay(document: Any) -> Iterator[Line]:
    """A list of days and ad units, each with its countries."""
    for part in document:
        common = _texts({name: value for name, value in part.items() if name != "data"})
        yield from (common | _texts(row) for row in part["data"])


def _pangle(document: Any) -> Iterator[Line]:
    """Lists of lines by day."""
    if str(document["Code"]) not in {"100", "PD0000"}:
        raise ReportUnreadable("Pangle answered that it has no report.")
    for day, rows in document["Data"].items():
        yield from ({"date": _text(day)} | _texts(row) for row in rows)


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"no text and no number: {value!r:.40}")
    return value if isinstance(value, str) else f"{value!r}"


_ANSWERS: Mapping[str, Callable[[Any], Iterator[Line]]] = {
    "admob": _admob,
    "applovin": _applovin,
    "levelplay": _levelplay,
    "pangle": _pangle,
}
