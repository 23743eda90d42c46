"""What a change of prices consists of, as it is kept until it takes effect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from payments.models import PriceChange
from payments.prices.terms import Adjustment, Rental, Terms


class AdjustedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """How a price differs, as in payments.models.PriceAdjustment."""

    free_count: int | None = None
    price_coins: int | None = None
    scale_parts_per_million: int | None = None

    @property
    def adjustment(self) -> Adjustment:
        return Adjustment(
            free_count=self.free_count,
            price_coins=self.price_coins,
            scale_parts_per_million=self.scale_parts_per_million,
        )


class VariantContent(AdjustedPrice, frozen=True, kw_only=True):
    """Where a version's price differs, and how."""

    regions: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


class RentalContent(AdjustedPrice, frozen=True, kw_only=True):
    """How the price of an episode differs that is opened for `seconds` only."""

    seconds: int

    @property
    def rental(self) -> Rental:
        return Rental(adjustment=self.adjustment, seconds=self.seconds)


class TermsContent(msgspec.Struct, frozen=True, kw_only=True):
    """A version's terms, as in payments.prices.terms, and which ways to unlock it offers.

    `bundle` is how every price differs when the rest of a series is bought at once.
    """

    free_count: int
    base_price_coins: int
    steps: dict[int, int] = {}
    overrides: dict[int, int] = {}
    variants: tuple[VariantContent, ...] = ()
    bundle: AdjustedPrice | None = None
    rental: RentalContent | None = None

    @property
    def terms(self) -> Terms:
        return Terms(
            free_count=self.free_count,
            base_price_coins=self.base_price_coins,
            steps=self.steps,
            overrides=self.overrides,
        )


class NewVersion(msgspec.Struct, frozen=True, kw_only=True, tag="new_version"):
    """Other terms for a plan, and with it for every title that it prices."""

    plan_id: UUID
    terms: TermsContent


class MoveSeries(msgspec.Struct, frozen=True, kw_only=True, tag="move_series"):
    """Another plan for the titles of the change."""

    plan_id: UUID


class PriceTable(msgspec.Struct, frozen=True, kw_only=True, tag="price_table"):
    """Terms of its own for each title of the change, by series."""

    rows: dict[UUID, TermsContent]


class Campaign(msgspec.Struct, frozen=True, kw_only=True, tag="campaign"):
    """A discount, or episodes free, on the titles of the change until `ends_at`."""

    ends_at: datetime
    price: AdjustedPrice
    regions: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


Content = NewVersion | MoveSeries | PriceTable | Campaign


@dataclass(frozen=True)
class Opened:
    """A change with what it consists of and the titles that it is about by name; a new version is about
    its plan's. Read once: a table has tens of thousands of lines."""

    change: PriceChange
    content: Content
    series_ids: Sequence[UUID]


def opened(change: PriceChange) -> Opened:
    """A change with what its rows say. Raises msgspec.ValidationError."""
    series_ids = change.changed_series.values_list("series_id", flat=True)
    return Opened(change, read(change.content), list(series_ids))


def read(kept: object) -> Content:
    """The content of a change as its row keeps it. Raises msgspec.ValidationError."""
    content: Content = msgspec.convert(kept, Content, strict=False)
    return content


def write(content: Content) -> Mapping[str, object]:
    """The content as a row keeps it."""
    built: Mapping[str, object] = msgspec.to_builtins(content, str_keys=True)
    return built
