"""What the books take over: lots and ledger entries, streamed."""

from datetime import datetime

from django.http import StreamingHttpResponse
from msgspec import UNSET, UnsetType, field
from rest_framework.request import Request

from config import csv_files
from config.bodies import RequestShape
from config.csv_files import Format
from config.endpoints import operation
from config.problems import Problem
from payments.ledger import exports
from payments.ledger.exports import EntriesExport, Export, LotsExport
from payments.views import moments
from viewers.authentication import MachineEndpoint
from viewers.models import Scope

CSV = ("text/csv",)


class SpanReversed(Problem):
    code = "span_reversed"
    title = "The span ends before it begins"


class LotsQuery(RequestShape):
    """`at` is now if not given; a moment ahead is taken for now."""

    format: Format = Format.JSON
    at: moments.AsText | UnsetType = UNSET


class EntriesQuery(RequestShape):
    """`from` is included, `to` is not; all entries up to now if not given."""

    format: Format = Format.JSON
    start: moments.AsText | UnsetType = field(default=UNSET, name="from")
    end: moments.AsText | UnsetType = field(default=UNSET, name="to")


class FinanceLots(MachineEndpoint):
    required_scope = Scope.FINANCE_READ

    @operation(
        summary="Every lot of coins as of a moment", query=LotsQuery, answer=LotsExport, also_as=CSV
    )
    def get(self, request: Request, *, now: datetime, query: LotsQuery) -> StreamingHttpResponse:
        """One row a lot, with its lineage, also of lots that are empty.

        The sum of `deferred_micros` is the deferred revenue of that moment.
        """
        export = exports.lots(at=moments.read(query.at, default=now, now=now))
        return _streamed(export, query.format, "lots")


class FinanceEntries(MachineEndpoint):
    required_scope = Scope.FINANCE_READ

    @operation(
        summary="The ledger's entries",
        query=EntriesQuery,
        answer=EntriesExport,
        also_as=CSV,
        refusals=[SpanReversed],
    )
    def get(self, request: Request, *, now: datetime, query: EntriesQuery) -> StreamingHttpResponse:
        """One row an entry, with the cause of its transfer, and with a refund's money.

        A refund that found nothing to take has moved no coins, and has no entry.
        """
        start = moments.read(query.start, default=moments.BEGINNING, now=now)
        end = moments.read(query.end, default=now, now=now)
        if end < start:
            raise SpanReversed
        return _streamed(exports.entries(start=start, end=end), query.format, "entries")


def _streamed(export: Export, as_format: Format, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_Parts(export, as_format))
    response["Content-Type"] = "application/json"
    if as_format is Format.CSV:
        response["Content-Type"] = csv_files.CONTENT_TYPE
        response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


class _Parts:
    """What the server sends, and closes whether or not anybody has read it to its end."""

    def __init__(self, export: Export, as_format: Format) -> None:
        self._parts, self.close = export.written(as_format), export.close

    def __iter__(self) -> "_Parts":
        return self

    def __next__(self) -> bytes:
        return next(self._parts)
