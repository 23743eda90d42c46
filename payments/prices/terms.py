"""What episodes cost under given terms: arithmetic, without a database."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from payments.money import PARTS_PER_MILLION


class TermsInvalid(ValueError):
    """Terms that no version can have; the message says in a sentence what to mend."""


@dataclass(frozen=True)
class PriceLadder:
    """The price of every episode number under some terms, 0 where it is free.

    `prices[n - 1]` is the price of episode n; past its end every episode costs `price_after`.
    """

    prices: tuple[int, ...]
    price_after: int

    def price_of(self, number: int) -> int:
        """The price of episode `number` (1 or more), in coins."""
        return self.prices[number - 1] if number <= len(self.prices) else self.price_after

    def total(self, last: int) -> int:
        """What every episode up to `last` costs together, in coins."""
        spelled_out = min(last, len(self.prices))
        return sum(self.prices[:spelled_out]) + (last - spelled_out) * self.price_after

    def capped(self, cap: "PriceLadder") -> "PriceLadder":
        """For every episode the lower of the two prices."""
        spelled_out = max(len(self.prices), len(cap.prices))
        return PriceLadder(
            prices=tuple(
                min(self.price_of(number), cap.price_of(number))
                for number in range(1, spelled_out + 1)
            ),
            price_after=min(self.price_after, cap.price_after),
        )


@dataclass(frozen=True)
class Adjustment:
    """How terms differ for some viewers or for some time; None leaves as it was.

    `scale_parts_per_million` 800_000 is 20 % off, 0 makes every episode free.
    """

    free_count: int | None = None
    price_coins: int | None = None
    scale_parts_per_million: int | None = None


@dataclass(frozen=True)
class Rental:
    """How the price of an episode differs when it is opened for `seconds` only."""

    adjustment: Adjustment
    seconds: int


@dataclass(frozen=True)
class Terms:
    """The first `free_count` episodes are free. From then on an episode costs the base price, or that of
    the last step at or before it; `overrides` win over both, and 0 there is free. All of it is scaled.

    `steps` and `overrides` are by episode number.
    """

    free_count: int
    base_price_coins: int
    steps: Mapping[int, int] = field(default_factory=dict)
    overrides: Mapping[int, int] = field(default_factory=dict)
    scale: Fraction = Fraction(1)

    def adjusted(self, adjustments: Iterable[Adjustment]) -> "Terms":
        """These terms with the adjustments made one after the other.

        Scales multiply, and what they come to is rounded once: to the nearest coin, halves up, and to
        one coin at least where anything is asked.
        """
        terms = self
        for adjustment in adjustments:
            terms = terms._adjusted(adjustment)
        return terms

    def ladder(self) -> PriceLadder:
        """Every episode's price."""
        spelled_out = max([self.free_count, *self.overrides, *(n - 1 for n in self.steps)])
        prices, price_coins = [], self._scaled(self.base_price_coins)
        for number in range(1, spelled_out + 1):
            if number in self.steps:
                price_coins = self._scaled(self.steps[number])
            prices.append(0 if number <= self.free_count else price_coins)
        for number, override in self.overrides.items():
            prices[number - 1] = self._scaled(override)
        after = self.steps.get(spelled_out + 1)
        return PriceLadder(
            prices=tuple(prices),
            price_after=price_coins if after is None else self._scaled(after),
        )

    def turns(self) -> Iterator[tuple[int, int]]:
        """Each episode at which the price may turn, in order, with its price: up to the next one every
        episode costs the same. However far apart they are, there are no more than were said."""
        after_overrides = (number + 1 for number in self.overrides)
        price_coins = self._scaled(self.base_price_coins)
        for number in sorted(
            {1, self.free_count + 1, *self.steps, *self.overrides, *after_overrides}
        ):
            if number in self.steps:
                price_coins = self._scaled(self.steps[number])
            if number in self.overrides:
                yield number, self._scaled(self.overrides[number])
            else:
                yield number, 0 if number <= self.free_count else price_coins

    def until(self, last: int) -> "Terms":
        """Terms that say the same of every episode up to `last`, and nothing of later ones."""
        return replace(
            self,
            free_count=min(self.free_count, last),
            steps={number: price for number, price in self.steps.items() if number <= last},
            overrides={number: price for number, price in self.overrides.items() if number <= last},
        )

    def refuse_falling(self) -> None:
        """Later steps cost more. Raises TermsInvalid."""
        before = self.base_price_coins
        for number, price_coins in sorted(self.steps.items()):
            if price_coins <= before:
                raise TermsInvalid(
                    f"From episode {number} on the price would be {price_coins:,} coins and {before:,} "
                    "before: a step costs more than what comes before it."
                )
            before = price_coins

    def _scaled(self, price_coins: int) -> int:
        if self.scale == 1:
            return price_coins
        asked = price_coins * self.scale
        return max(int(asked + Fraction(1, 2)), 1) if asked else 0

    def _adjusted(self, adjustment: Adjustment) -> "Terms":
        terms = self
        if adjustment.free_count is not None:
            terms = replace(terms, free_count=adjustment.free_count)
        if adjustment.price_coins is not None:
            free = {number: 0 for number, price in terms.overrides.items() if price == 0}
            terms = replace(
                terms, base_price_coins=adjustment.price_coins, steps={}, overrides=free
            )
        if adjustment.scale_parts_per_million is not None:
            scale = Fraction(adjustment.scale_parts_per_million, PARTS_PER_MILLION)
            terms = replace(terms, scale=terms.scale * scale)
        return terms
