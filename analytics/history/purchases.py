"""Purchases of the past: who paid what and when, as a mapping finds it in a line."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from analytics.history.cells import LARGEST_MICROS, Cells, Keys, derived
from analytics.history.lines import Code, Line, LineRefused
from analytics.history.mapping import Mapping, MappingRefused, PurchaseShape
from payments.store import exchange
from payments.store.exchange import Rate, RateMissing
from payments.store.imported_purchases import PastPurchase

BY_MAPPING = "mapping"
_CURRENCY = re.compile("[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class ReadPurchase:
    """A purchase of a viewer that the source calls by a name, from a line of the file."""

    line: int
    viewer: str
    id: UUID
    source_id: str
    purchased_at: datetime
    currency: str
    gross_micros: int
    tax_micros: int
    fee_micros: int
    rate: Rate

    def of(self, viewer_id: UUID) -> PastPurchase:
        """The same once the viewer is known."""
        return PastPurchase(
            id=self.id,
            source_id=self.source_id,
            viewer_id=viewer_id,
            purchased_at=self.purchased_at,
            currency=self.currency,
            gross_micros=self.gross_micros,
            tax_micros=self.tax_micros,
            fee_micros=self.fee_micros,
            rate=self.rate,
        )


class Reader:
    """Reads the lines of one file as a mapping of purchases says. Raises MappingRefused for its rates."""

    def __init__(self, mapping: Mapping, shape: PurchaseShape, *, now: datetime) -> None:
        self._mapping, self._shape, self._now = mapping, shape, now
        self._keys = Keys(mapping)
        self._given = {currency: _given(rate) for currency, rate in shape.rates.items()}
        self._dated: dict[tuple[str, object], Rate] = {}

    def purchase(self, line: Line) -> ReadPurchase:
        """The purchase of a line. Raises LineRefused."""
        cells, shape = Cells(line, self._mapping), self._shape
        key = self._keys.name(cells.key())
        at = cells.moment(shape.at, now=self._now)
        currency = cells.text(shape.currency)
        if not _CURRENCY.fullmatch(currency):
            raise LineRefused(Code.CURRENCY_UNKNOWN, f"{currency:.20} is no currency.")
        gross, tax, fee = (
            cells.micros(field, shape.unit) if field else 0
            for field in (shape.gross, shape.tax, shape.fee)
        )
        rate = self._rate(currency, at)
        if tax + fee > gross or rate.micros(gross) > LARGEST_MICROS:
            raise LineRefused(Code.AMOUNT_OUT_OF_RANGE, "Tax and fee are more than what was paid.")
        return ReadPurchase(
            line=line.number,
            viewer=cells.viewer(),
            id=derived(self._mapping, "purchase", key),
            source_id=key[:512],
            purchased_at=at,
            currency=currency,
            gross_micros=gross,
            tax_micros=tax,
            fee_micros=fee,
            rate=rate,
        )

    def _rate(self, currency: str, at: datetime) -> Rate:
        if currency in self._given:
            return self._given[currency]
        day = (currency, at.date())
        try:
            if day not in self._dated:
                self._dated[day] = exchange.rate(currency, at=at)
        except RateMissing as error:
            raise LineRefused(Code.RATE_MISSING, f"No rate is known of {error}.") from error
        return self._dated[day]


def _given(text: str) -> Rate:
    try:
        rate = Decimal(text)
    except ArithmeticError as error:
        raise MappingRefused(f"{text!r} is no rate.") from error
    if not rate.is_finite() or not exchange.SMALLEST <= rate <= exchange.LARGEST:
        raise MappingRefused(f"{text!r} is no rate.")
    return Rate(rate, BY_MAPPING)
