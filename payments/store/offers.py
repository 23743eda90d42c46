"""What a viewer can buy now: coin packs, and the offers that take their pack's place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from config.compiled_queries import CompiledQuery
from payments.models import ClaimState, CoinPack, Offer, OfferClaim, OfferKind, Purchase
from payments.models.products import names_in_stores
from viewers.models import Environment


@dataclass(frozen=True)
class Offered:
    """A pack at its price, with the coins it gives under an offer, or under none.

    `stock_left` is None where nothing limits it.
    """

    pack: CoinPack
    offer: Offer | None
    bonus_coins: int
    stock_left: int | None

    @property
    def code(self) -> str:
        """The offer's, else the pack's."""
        return (self.offer or self.pack).code

    @property
    def coins(self) -> int:
        """All that a purchase grants."""
        return self.pack.paid_coins + self.bonus_coins


def on_sale(*, viewer_id: UUID, environment: str, now: datetime) -> Sequence[Offered]:
    """Every pack that is shown, in the operator's order, each under the best offer for this viewer.

    A pack that is not shown by itself is there under an offer alone. Of two offers on a pack the one
    with more bonus counts, and one that gives no more than the pack does by itself is left out. Two
    queries, whatever there is.
    """
    best = _best(_USABLE[environment].objects(viewer_id=viewer_id, now=now))
    found = [
        _offered(pack, best.get(pack.id), environment)
        for pack in _packs()
        if pack.is_active or pack.id in best
    ]
    return sorted(found, key=_place)


def that_help(shortfall_coins: int, found: Sequence[Offered]) -> Sequence[Offered]:
    """Of what is on sale, what closes a gap, smallest first; when nothing does, the largest there is."""
    by_coins = sorted(found, key=lambda offered: offered.coins)
    enough = [offered for offered in by_coins if offered.coins >= shortfall_coins]
    return enough or by_coins[-1:]


def under(offer: Offer, *, bonus_coins: int, environment: str) -> Offered:
    """An offer with the bonus that was promised to a viewer."""
    return Offered(
        pack=offer.pack,
        offer=offer,
        bonus_coins=bonus_coins,
        stock_left=offer.left(environment),
    )


def without(pack: CoinPack) -> Offered:
    """A pack by itself."""
    return Offered(pack=pack, offer=None, bonus_coins=pack.bonus_coins, stock_left=None)


def _packs() -> Sequence[CoinPack]:
    """Every pack that is shown, or might be under an offer, in the operator's order."""
    packs = _PACKS.objects()
    for pack in packs:
        pack.store_names = dict(pack.named)
    return packs


def _best(offers: Iterable[Offer]) -> Mapping[UUID, Offer]:
    """The offer with the most bonus, by pack; of two alike the first in the operator's order."""
    found: dict[UUID, Offer] = {}
    for offer in offers:
        known = found.get(offer.pack_id)
        if known is None or offer.bonus_coins > known.bonus_coins:
            found[offer.pack_id] = offer
    return found


def _offered(pack: CoinPack, offer: Offer | None, environment: str) -> Offered:
    if offer is None or (pack.is_active and offer.bonus_coins <= pack.bonus_coins):
        return without(pack)
    return Offered(
        pack=pack,
        offer=offer,
        bonus_coins=offer.bonus_coins,
        stock_left=offer.left(environment),
    )


def _place(offered: Offered) -> tuple[int, int]:
    source = offered.offer or offered.pack
    return source.position, offered.pack.price_micros


def _usable(environment: str, *, viewer_id: UUID, now: datetime) -> QuerySet[Offer]:
    """The open offers of which this viewer has a place, or could take one."""
    own = OfferClaim.objects.filter(
        offer=OuterRef("id"), viewer_id=viewer_id, environment=environment
    )
    used = own.filter(state=ClaimState.USED).order_by().values("offer")
    bought = Purchase.objects.filter(viewer_id=viewer_id, environment=environment)
    is_sandbox = environment == Environment.SANDBOX
    taken = F("sandbox_taken_count" if is_sandbox else "taken_count")
    return Offer.objects.alias(
        is_held=Exists(own.filter(state=ClaimState.HELD)),
        used_count=Coalesce(Subquery(used.annotate(count=Count("id")).values("count")), 0),
    ).filter(
        Q(ends_at=None) | Q(ends_at__gt=now),
        ~Q(kind=OfferKind.FIRST_TOP_UP) | ~Exists(bought),
        Q(is_held=True)
        | Q(used_count__lt=F("per_viewer_limit")) & (Q(stock=None) | Q(stock__gt=taken)),
        is_active=True,
        starts_at__lte=now,
    )


def _offerable() -> QuerySet[CoinPack]:
    offered = Offer.objects.filter(pack=OuterRef("id"), is_active=True)
    return CoinPack.objects.filter(Q(is_active=True) | Exists(offered)).annotate(
        named=names_in_stores("pack")
    )


#: By environment: each has stock of its own.
_USABLE = {
    each: CompiledQuery(partial(_usable, each), viewer_id=UUID, now=datetime)
    for each in Environment.values
}
_PACKS = CompiledQuery(_offerable)
