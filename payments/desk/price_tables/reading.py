"""From rows of cells to the terms of each title, with a sentence for every line that is not right."""

import re
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from catalog.models import Series
from config.csv_files import as_meant
from payments.desk.price_changes.contents import TermsContent
from payments.desk.price_tables import sheets
from payments.desk.price_tables.sheets import Formula, Moment, Row
from payments.models.prices import MAXIMUM_EPISODE_NUMBER, MAXIMUM_PRICE_COINS
from payments.prices.terms import TermsInvalid

REQUIRED = ("external_id", "free_count", "base_price_coins")
COLUMNS = ("external_id", "title", "free_count", "base_price_coins", "steps", "overrides")
#: Sentences that are shown; how many lines more are wrong is said.
MAXIMUM_COMPLAINTS = 100
_AT_ONCE = 5_000
_NUMBER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_PAIR = re.compile(r"(\d{1,9})\s*:\s*(\d{1,9})", re.ASCII)


class TableRefused(Exception):
    """The table was not taken; `complaints` has a sentence for each line to mend."""

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__(" ".join(complaints))
        self.complaints = complaints


class _Wrong(Exception):
    """What is wrong with a line."""


def read(content: bytes) -> Mapping[UUID, TermsContent]:
    """The terms of each title of a file. Raises TableRefused, with nothing taken."""
    try:
        rows = sheets.read(content)
        place = _places(next(rows, (1, ())))
        lines = list(rows)
    except sheets.SheetUnreadable as refusal:
        raise TableRefused([str(refusal)]) from refusal
    if not lines:
        raise TableRefused(["The table has a head and no line below it."])
    named = _series_named({_id_of(row, place) for _, row in lines})
    terms, complaints = _read_lines(lines, place, named)
    if complaints:
        raise TableRefused(_cut(complaints))
    return terms


def _read_lines(
    lines: Sequence[Row], place: Mapping[str, int], named: Mapping[str, UUID]
) -> tuple[Mapping[UUID, TermsContent], Sequence[str]]:
    terms: dict[UUID, TermsContent] = {}
    line_of: dict[UUID, int] = {}
    complaints = []
    for number, row in lines:
        try:
            series_id = _series(row, place, named)
            if series_id in line_of:
                raise _Wrong(
                    f"{_id_of(row, place)} is on line {line_of[series_id]} already. Keep one of them."
                )
            line_of[series_id] = number
            terms[series_id] = _terms(row, place)
        except _Wrong as wrong:
            complaints.append(f"Line {number}: {wrong}")
    return terms, complaints


def _places(head: Row) -> Mapping[str, int]:
    """Where each column is. The columns may come in any order."""
    names = [name.lower() for name in head[1] if name]
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in names]
    if unknown or missing or len(set(names)) != len(names):
        raise TableRefused(
            [
                f"The first line names the columns: {', '.join(COLUMNS)}. "
                + (f"“{unknown[0][:40]}” is none of them. " if unknown else "")
                + (f"{missing[0]} is missing. " if missing else "")
                + "Export a table and edit that."
            ]
        )
    return {name: [cell.lower() for cell in head[1]].index(name) for name in names}


def _series_named(external_ids: set[str]) -> Mapping[str, UUID]:
    wanted = sorted(external_ids)
    found: dict[str, UUID] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = Series.objects.filter(external_id__in=wanted[start : start + _AT_ONCE])
        found.update(rows.values_list("external_id", "id"))
    return found


def _cell(row: Sequence[str], place: Mapping[str, int], name: str) -> str:
    at = place.get(name)
    return row[at] if at is not None and at < len(row) else ""


def _id_of(row: Sequence[str], place: Mapping[str, int]) -> str:
    return as_meant(_cell(row, place, "external_id")).replace("\x00", "")


def _series(row: Sequence[str], place: Mapping[str, int], named: Mapping[str, UUID]) -> UUID:
    external_id = _id_of(row, place)
    if isinstance(_cell(row, place, "external_id"), Formula):
        raise _Wrong(_formula("external_id"))
    if not external_id:
        raise _Wrong("it names no title. Fill in external_id, or take the line out.")
    if external_id not in named:
        raise _Wrong(f"there is no title “{external_id[:60]}”.")
    return named[external_id]


def _terms(row: Sequence[str], place: Mapping[str, int]) -> TermsContent:
    free_count = _number(row, place, "free_count", least=0, most=MAXIMUM_EPISODE_NUMBER)
    base = _number(row, place, "base_price_coins", least=1, most=MAXIMUM_PRICE_COINS)
    steps = dict(_pairs(row, place, "steps", first=2, least=1))
    overrides = dict(_pairs(row, place, "overrides", first=1, least=0))
    content = TermsContent(
        free_count=free_count, base_price_coins=base, steps=steps, overrides=overrides
    )
    try:
        content.terms.refuse_falling()
    except TermsInvalid as refusal:
        raise _Wrong(str(refusal)) from refusal
    return content


def _number(
    row: Sequence[str], place: Mapping[str, int], name: str, *, least: int, most: int
) -> int:
    cell = _plain(row, place, name)
    if not cell:
        raise _Wrong(f"{name} is empty.")
    if not _NUMBER.fullmatch(cell):
        raise _Wrong(f"{name} is “{cell[:40]}”. Write a whole number, without spaces or signs.")
    if not least <= int(cell) <= most:
        more = " To give episodes away, raise free_count." if name == "base_price_coins" else ""
        raise _Wrong(f"{name} is {cell}. It is between {least:,} and {most:,}.{more}")
    return int(cell)


def _pairs(
    row: Sequence[str], place: Mapping[str, int], name: str, *, first: int, least: int
) -> Iterator[tuple[int, int]]:
    seen: set[int] = set()
    cell = _plain(row, place, name)
    for part in filter(None, (one.strip() for one in cell.split(";"))):
        match = _PAIR.fullmatch(part)
        if match is None or not all(_NUMBER.fullmatch(one) for one in match.groups()):
            raise _Wrong(
                f"{name} has “{part[:40]}”. Write an episode and a price, as in 10:60;30:80."
            )
        number, price_coins = int(match[1]), int(match[2])
        if not first <= number <= MAXIMUM_EPISODE_NUMBER:
            raise _Wrong(
                f"{name} has episode {number}. It is between {first} and {MAXIMUM_EPISODE_NUMBER:,}."
            )
        if not least <= price_coins <= MAXIMUM_PRICE_COINS:
            raise _Wrong(
                f"{name} has {price_coins} coins for episode {number}. "
                f"It is between {least} and {MAXIMUM_PRICE_COINS:,}."
            )
        if number in seen:
            raise _Wrong(f"{name} has episode {number} twice.")
        seen.add(number)
        yield number, price_coins


def _plain(row: Sequence[str], place: Mapping[str, int], name: str) -> str:
    cell = _cell(row, place, name)
    if isinstance(cell, Formula):
        raise _Wrong(_formula(name))
    if isinstance(cell, Moment):
        raise _Wrong(
            f"in {name} the spreadsheet made a time of what was typed. Make the column one of text and "
            "type it again."
        )
    return as_meant(cell)


def _formula(name: str) -> str:
    return f"{name} is a formula. Paste its value in place of it."


def _cut(complaints: Sequence[str]) -> Sequence[str]:
    more = len(complaints) - MAXIMUM_COMPLAINTS
    if more <= 0:
        return complaints
    said = "1 more line is" if more == 1 else f"{more:,} more lines are"
    return [*complaints[:MAXIMUM_COMPLAINTS], f"And {said} wrong."]
