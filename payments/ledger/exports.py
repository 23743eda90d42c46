"""Lots and entries for the books: every row, as of a moment, however many there are.

What is asked is answered by the database at once, in one snapshot, and waits there in a cursor that outlives
its transaction. From there it is fetched in parts: neither this process nor a slow reader holds more than
one part, and no transaction stays open meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from django.conf import settings
from django.db import connection, transaction

from config import csv_files
from config.bodies import AnswerShape
from config.csv_files import Format, Table
from payments.chart import REVENUE_ORIGINS, Account, LotKind, LotOrigin, TransferCode

SQL = Path(__file__).parents[1] / "sql"
#: How long the database may take to answer, which is longer than it may for anything else.
STATEMENT_SECONDS = 120
PART_ROWS = 2000

Row = tuple[Any, ...]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class LotRow(AnswerShape):
    """A lot with its lineage, and what was left in it at the export's moment.

    Values are in the reporting currency. `deferred_micros` is `remaining_value_micros` where that is
    revenue, and 0 where coins were given: its sum is the deferred revenue of that moment.
    """

    lot_id: UUID
    viewer_id: UUID
    environment: str
    kind: LotKind
    origin: LotOrigin
    granted_at: Moment
    expires_at: Moment | None
    granted_coins: int
    value_micros: int
    remaining_coins: int
    remaining_value_micros: int
    deferred_micros: int
    transfer_id: UUID
    transfer_code: TransferCode
    transfer_reference: str
    purchase_id: UUID | None
    provider: str | None
    transaction_id: str | None


class EntryRow(AnswerShape):
    """One account's side of a transfer. `reference` is the natural key of what caused it.

    A refund's columns are filled beside the entry of the account `refunds` alone, so that they can be
    summed, and negative where a refund ceased to stand. `refund_gross_micros` is in the purchase's
    currency, the others in the reporting currency.
    """

    entry_id: UUID
    transfer_id: UUID
    viewer_id: UUID | None
    environment: str
    code: TransferCode
    reference: str
    reverses_transfer_id: UUID | None
    event_at: Moment
    posted_at: Moment
    account: Account
    amount_coins: int
    balance_after_coins: int | None
    sequence: int | None
    refund_provider: str | None
    refund_transaction_id: str | None
    refund_name: str | None
    refund_origin: str | None
    refund_gross_micros: int | None
    refund_tax_micros: int | None
    refund_fee_micros: int | None
    refund_net_micros: int | None
    refund_deferred_micros: int | None
    refund_recognised_micros: int | None
    refund_difference_micros: int | None


class LotsExport(AnswerShape):
    """Every lot that had been granted by `at`, by id."""

    at: Moment
    currency: str
    rows: list[LotRow]


class EntriesExport(AnswerShape):
    """Every entry that was posted from `start` to before `end`, by id, which is in the ledger's order."""

    start: Moment
    end: Moment
    currency: str
    rows: list[EntryRow]


class Export:
    """Rows that wait in the database, to be written once. Whoever has one closes it."""

    def __init__(
        self, *, shape: type[AnswerShape], head: Mapping[str, object], rows: "HeldRows"
    ) -> None:
        self._shape, self._head, self._rows = shape, head, rows

    def written(self, as_format: Format) -> Iterator[bytes]:
        """The file in parts: JSON, or CSV with comment lines before it that say what `head` does."""
        write = self._csv if as_format is Format.CSV else self._json
        return write()

    def close(self) -> None:
        """Lets the database forget the rows. Safe to repeat."""
        self._rows.close()

    def _csv(self) -> Iterator[bytes]:
        notes = [f"{name}: {value}" for name, value in self._head.items()]
        yield csv_files.write(Table(notes, self._shape.__struct_fields__, []))
        for part in self._rows.parts():
            yield csv_files.lines(part)

    def _json(self) -> Iterator[bytes]:
        names = self._shape.__struct_fields__
        yield msgspec.json.encode(self._head).removesuffix(b"}") + b',"rows":['
        separator = b""
        for part in self._rows.parts():
            shaped = [self._shape(**dict(zip(names, row, strict=True))) for row in part]
            yield separator + msgspec.json.encode(shaped)[1:-1]
            separator = b","
        yield b"]}"


class HeldRows:
    """The rows of one statement in a cursor of the database, which outlives its transaction."""

    def __init__(self, statement: str, parameters: dict[str, Any]) -> None:
        self._name = f"payments_export_{uuid4().hex}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
            cursor.execute(
                f"DECLARE {self._name} NO SCROLL CURSOR WITH HOLD FOR {statement}",
                parameters,
            )
        self._is_open = True

    def parts(self) -> Iterator[Sequence[Row]]:
        """All rows, PART_ROWS at a time."""
        with connection.cursor() as cursor:
            while True:
                cursor.execute(f"FETCH {PART_ROWS} FROM {self._name}")
                rows = cursor.fetchall()
                if not rows:
                    break
                yield rows
        self.close()

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            with connection.cursor() as cursor:
                cursor.execute(f"CLOSE {self._name}")


def lots(*, at: datetime) -> Export:
    """Every lot with its lineage, as it stood at a moment that has passed."""
    origins = [str(origin) for origin in REVENUE_ORIGINS]
    return Export(
        shape=LotRow,
        head={"at": at, "currency": settings.REPORTING_CURRENCY},
        rows=HeldRows(_text("export_lots"), {"at": at, "revenue_origins": origins}),
    )


def entries(*, start: datetime, end: datetime) -> Export:
    """Every entry posted from `start` to before `end`, with its cause."""
    return Export(
        shape=EntryRow,
        head={"start": start, "end": end, "currency": settings.REPORTING_CURRENCY},
        rows=HeldRows(_text("export_entries"), {"start": start, "end": end}),
    )


@cache
def _text(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
