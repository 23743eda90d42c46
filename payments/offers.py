"""Coin packs as a viewer is offered them."""

from collections.abc import Sequence

from payments.models import CoinPack


def on_sale() -> Sequence[CoinPack]:
    """Every pack that is shown, in the operator's order, with its name in each store."""
    return list(CoinPack.objects.filter(is_active=True).prefetch_related("store_products"))


def that_help(shortfall_coins: int, packs: Sequence[CoinPack]) -> Sequence[CoinPack]:
    """Those of the packs that close a gap, smallest first; when none does, the largest there is."""
    packs = sorted(packs, key=lambda pack: pack.paid_coins + pack.bonus_coins)
    enough = [pack for pack in packs if pack.paid_coins + pack.bonus_coins >= shortfall_coins]
    return enough or packs[-1:]
