"""Prices of episodes before and after, as operators see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from payments.admin import formats
from payments.models import CoinPack


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


def runs_of(episodes: Sequence[EpisodeChange]) -> Sequence[Run]:
    """The episodes gathered into stretches of the same change."""
    alike = groupby(episodes, key=lambda episode: (episode.before_coins, episode.after_coins))
    return [Run(list(stretch)) for _, stretch in alike]


def cost(coins: int) -> Cost:
    """What so many coins cost."""
    rates = _rates()
    if not rates:
        return Cost(coins, None, None)
    return Cost(coins, round(coins * rates[0]), round(coins * rates[-1]))


def _rates() -> Sequence[Fraction]:
    """The price of a coin in each pack on sale, in micros, cheapest first."""
    packs = CoinPack.objects.filter(is_active=True)
    return sorted(Fraction(pack.price_micros, pack.paid_coins + pack.bonus_coins) for pack in packs)
