"""What coins are worth in money, as it is shown beside every price in coins.

The EU's consumer authorities ask for the price in money wherever one in virtual currency stands (CPC
Network, key principles on in-game virtual currencies, 2025, principle 1).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from payments.money import Money
from payments.store.offers import Offered


@dataclass(frozen=True)
class CoinRate:
    """What the dearest coins on sale cost: `price_micros` for `coins` of them."""

    price_micros: int
    coins: int
    currency: str

    def money_for(self, coins: int) -> Money:
        """What so many coins cost at this rate, rounded up to the micro."""
        return Money(
            amount_micros=-(-coins * self.price_micros // self.coins), currency=self.currency
        )


def rate(on_sale: Iterable[Offered]) -> CoinRate | None:
    """The rate of the pack whose coins, with its bonus, are the dearest: nobody is promised a price that
    only a larger pack has. Of packs in the REPORTING_CURRENCY, since amounts of two cannot be compared; None
    where none is on sale."""
    rates = [
        CoinRate(offered.pack.price_micros, offered.coins, offered.pack.currency)
        for offered in on_sale
        if offered.pack.currency == settings.REPORTING_CURRENCY
    ]
    return max(rates, key=lambda one: one.price_micros / one.coins, default=None)
