"""What a new version of a plan would charge, worked out by the function that charges."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from uuid import UUID

import msgspec

from catalog.models import Episode, Series
from config import seals
from payments import pricing
from payments.admin import formats
from payments.models import CoinPack, PricePlan, PriceVersion
from payments.terms import PriceLadder, Terms

_PURPOSE = "price-preview"
#: How much of a ladder is shown when there is no series to show it for.
_BEYOND = 4


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was filled in and not saved. `effective_from` None means at once."""

    plan_id: UUID
    effective_from: datetime | None
    free_count: int
    base_price_coins: int
    overrides: dict[int, int]

    def ladder(self) -> PriceLadder:
        """The prices it would bring."""
        return Terms(
            free_count=self.free_count,
            base_price_coins=self.base_price_coins,
            overrides=self.overrides,
        ).ladder()


@dataclass(frozen=True)
class EpisodeChange:
    """One episode's price today and under the draft, in coins."""

    number: int
    before_coins: int
    after_coins: int

    @property
    def before(self) -> str:
        """`60`, or `free`."""
        return formats.coins(self.before_coins) if self.before_coins else "free"

    @property
    def after(self) -> str:
        """`80`, or `free`."""
        return formats.coins(self.after_coins) if self.after_coins else "free"

    @property
    def direction(self) -> str:
        """`up`, `down` or `same`, for the eye."""
        if self.before_coins == self.after_coins:
            return "same"
        return "up" if self.after_coins > self.before_coins else "down"


@dataclass(frozen=True)
class Run:
    """Neighbouring episodes that change alike."""

    episodes: Sequence[EpisodeChange]

    @property
    def first(self) -> EpisodeChange:
        return self.episodes[0]

    @property
    def last(self) -> EpisodeChange:
        return self.episodes[-1]


@dataclass(frozen=True)
class Cost:
    """What a whole series costs: coins, and money when they are bought in the packs on sale.

    The two prices, in micros, are those of the pack with the cheapest and the dearest coins; None
    while no pack is on sale.
    """

    coins: int
    cheapest_micros: int | None
    dearest_micros: int | None

    def __str__(self) -> str:
        return f"{formats.coins(self.coins)} coins"

    @property
    def in_money(self) -> str:
        """`11.98 USD to 14.38 USD`."""
        if self.cheapest_micros is None or self.dearest_micros is None:
            return "no pack on sale"
        cheapest, dearest = formats.cents(self.cheapest_micros), formats.cents(self.dearest_micros)
        return cheapest if cheapest == dearest else f"{cheapest} to {dearest}"


@dataclass(frozen=True)
class Preview:
    """A draft in front of a series, or of the plan's first episodes where there is none."""

    series: Series | None
    today: PriceVersion
    episodes: Sequence[EpisodeChange]
    before: Cost
    after: Cost
    replaced_at: datetime | None

    @cached_property
    def runs(self) -> Sequence[Run]:
        """The episodes gathered into stretches of the same change."""
        alike = groupby(self.episodes, key=lambda e: (e.before_coins, e.after_coins))
        return [Run(list(episodes)) for _, episodes in alike]

    @property
    def free_before(self) -> int:
        return sum(episode.before_coins == 0 for episode in self.episodes)

    @property
    def free_after(self) -> int:
        return sum(episode.after_coins == 0 for episode in self.episodes)

    @property
    def is_all_free(self) -> bool:
        """True when nothing of the series would be sold any more."""
        return bool(self.episodes) and self.free_after == len(self.episodes)


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What an operator was shown: a draft, against the prices of a version in force."""

    draft: Draft
    today_id: UUID
    operator_id: int

    def token(self) -> str:
        """Proof of it, for the form to carry."""
        return seals.seal(_PURPOSE, self._fingerprint())

    def is_in(self, token: str) -> bool:
        """True when `token` proves exactly this: no field has moved since, and no price."""
        try:
            return seals.unseal(_PURPOSE, token) == self._fingerprint()
        except seals.SealBroken:
            return False

    def _fingerprint(self) -> bytes:
        return hashlib.sha256(msgspec.json.encode(self)).digest()


def build(*, draft: Draft, plan: PricePlan, series: Series | None, now: datetime) -> Preview:
    """The preview of `draft` for a series, against what that series costs at `now`."""
    today = in_force(plan=plan, series=series, now=now)
    before, after = pricing.ladder(today.id), draft.ladder()
    episodes = [
        EpisodeChange(number, before.price_of(number), after.price_of(number))
        for number in _numbers(series, before, after)
    ]
    rates = _rates()
    later = PriceVersion.objects.filter(plan=plan, effective_from__gt=draft.effective_from or now)
    return Preview(
        series=series,
        today=today,
        episodes=episodes,
        before=_cost(sum(episode.before_coins for episode in episodes), rates),
        after=_cost(sum(episode.after_coins for episode in episodes), rates),
        replaced_at=later.order_by("effective_from")
        .values_list("effective_from", flat=True)
        .first(),
    )


def in_force(*, plan: PricePlan, series: Series | None, now: datetime) -> PriceVersion:
    """The version that a draft is compared with: the series' if there is one, else the plan's.

    A plan without a version so far is compared with the default plan's.
    """
    if series is not None:
        return pricing.version_in_force(series_id=series.id, at=now)
    begun = PriceVersion.objects.filter(effective_from__lte=now).order_by("-effective_from")
    own = begun.filter(plan=plan).select_related("plan").first()
    return own or begun.filter(plan__is_default=True).select_related("plan")[:1].get()


def _numbers(
    series: Series | None, before: PriceLadder, after: PriceLadder
) -> Sequence[int] | range:
    if series is None:
        return range(1, max(len(before.prices), len(after.prices)) + _BEYOND + 1)
    published = Episode.objects.filter(series=series, state=Episode.State.PUBLISHED)
    return list(published.order_by("number").values_list("number", flat=True))


def _rates() -> Sequence[Fraction]:
    """The price of a coin in each pack on sale, in micros, cheapest first."""
    packs = CoinPack.objects.filter(is_active=True)
    return sorted(Fraction(pack.price_micros, pack.paid_coins + pack.bonus_coins) for pack in packs)


def _cost(coins: int, rates: Sequence[Fraction]) -> Cost:
    if not rates:
        return Cost(coins, None, None)
    return Cost(coins, round(coins * rates[0]), round(coins * rates[-1]))
