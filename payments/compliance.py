"""What is owed to viewers besides exact money: looked at in the rows, not in intentions.

The rules follow the key principles on in-game virtual currencies of the EU's consumer authorities (CPC
Network, 2025), as far as a server can keep them, and Apple's App Store Review Guideline 3.1.1 for coins
that were bought. A rule that does not hold is told with what would mend it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Max, Min, Q, Sum

from payments.chart import LotKind, TransferCode
from payments.models import CoinPack, Lot, LotMovement, Offer, OfferKind, Unlock, UnlockWay
from payments.prices import pricing
from payments.prices.pricing import Price
from viewers.models import Environment

#: How far back what was charged is looked at.
LOOKED_BACK = timedelta(days=7)
#: Ways whose price has an adjustment of their own, the last of those that an unlock keeps.
ADJUSTED_WAYS = (UnlockWay.BUNDLE, UnlockWay.RENTAL)


@dataclass(frozen=True)
class Finding:
    """One rule: whether it holds, and in a sentence what was found."""

    rule: str
    because: str
    is_kept: bool
    found: str


def report(*, now: datetime) -> list[Finding]:
    """Every rule, in a fixed order, from what is in the database at this moment."""
    return [rule(now) for rule in RULES]


def _equivalents_shown(now: datetime) -> Finding:
    packs = CoinPack.objects.filter(is_active=True).count()
    return Finding(
        rule="A price in money stands beside every price in coins",
        because="CPC principle 1: the price is clear and in money.",
        is_kept=packs > 0,
        found=(
            f"Worked out from the dearest of {packs} packs on sale."
            if packs
            else "No pack is on sale, so there is no price of a coin. Put a pack on sale."
        ),
    )


def _no_forced_pack(now: datetime) -> Finding:
    """Whoever wants one episode need not buy many."""
    usual = pricing.usual_price_coins(at=now)
    sold = CoinPack.objects.filter(is_active=True)
    smallest = sold.annotate(coins=F("paid_coins") + F("bonus_coins")).order_by("coins").first()
    rule = Finding(
        rule="Nobody has to buy many more coins than they want",
        because="CPC principle 3: no forced purchase of unwanted coins.",
        is_kept=True,
        found="Nothing is sold yet.",
    )
    if usual is None or smallest is None:
        return rule
    coins = smallest.paid_coins + smallest.bonus_coins
    episodes, left = divmod(coins, usual)
    most = settings.SMALLEST_PACK_EPISODES
    told = (
        f"The smallest pack, {smallest}, opens {int(episodes)} episodes at the usual {int(usual)} coins "
        f"and leaves {int(left)} coins."
    )
    is_kept = 1 <= episodes <= most
    remedy = "" if is_kept else f" Sell one that opens one episode at least, and at most {most}."
    return Finding(rule.rule, rule.because, is_kept, told + remedy)


def _same_price(now: datetime) -> Finding:
    """Everybody who was quoted the same terms was charged the same, and what those terms say."""
    charged = (
        Unlock.objects.filter(
            environment=Environment.PRODUCTION,
            created_at__gt=now - LOOKED_BACK,
            created_at__lte=now,
            number__isnull=False,
        )
        .values("price_version_id", "adjustments", "way", "number")
        .annotate(least=Min("price_coins"), most=Max("price_coins"))
    )
    groups = list(charged)
    prices = [_price_of(group) for group in groups]
    ladder_of = pricing.ladders(set(prices))
    wrong = sum(
        not group["least"] == group["most"] == ladder_of[price].price_of(group["number"] or 0)
        for group, price in zip(groups, prices, strict=True)
    )
    return Finding(
        rule="Viewers of one segment pay one price",
        because="No price is made for one person: region, platform, link, promotion and arm alone decide.",
        is_kept=not wrong,
        found=(
            f"{len(groups):,} combinations of terms, way and episode in {LOOKED_BACK.days} days"
            + (
                f"; {wrong:,} were charged otherwise than they say."
                if wrong
                else ", each at one price."
            )
        ),
    )


def _price_of(group: Mapping[str, object]) -> Price:
    adjustments: Collection[UUID] = group["adjustments"]  # type: ignore[assignment]
    version_id: UUID = group["price_version_id"]  # type: ignore[assignment]
    kept = tuple(adjustments)
    if group["way"] in ADJUSTED_WAYS and kept:
        return Price(version_id, kept[:-1], way_adjustment_id=kept[-1])
    return Price(version_id, kept)


def _paid_coins_stay(now: datetime) -> Finding:
    dated = Lot.objects.filter(kind=LotKind.PAID, expires_at__isnull=False).count()
    lapsed = LotMovement.objects.filter(
        lot__kind=LotKind.PAID, transfer__code=TransferCode.EXPIRY
    ).count()
    return Finding(
        rule="Coins that were bought never lapse",
        because="App Store Review Guideline 3.1.1: purchased credits do not expire.",
        is_kept=not (dated or lapsed),
        found=(
            f"{dated:,} lots of paid coins have a day on which they lapse, and {lapsed:,} have lapsed."
            if dated or lapsed
            else "No paid lot has an end, and none has ever lapsed."
        ),
    )


def _agreed_to(now: datetime) -> Finding:
    """Unlocks without a tap are off until somebody agrees, and keep to what was agreed."""
    made = Unlock.objects.filter(way=UnlockWay.AUTO)
    unasked = made.filter(
        Q(consent=None)
        | Q(created_at__lt=F("consent__agreed_at"))
        | Q(created_at__gt=F("consent__ended_at"))
    ).count()
    days = (
        made.filter(reversal=None, created_at__gt=now - LOOKED_BACK, created_at__lte=now)
        .values("consent_id", "day")
        .annotate(coins=Sum("price_coins"), cap=Max("consent__daily_cap_coins"))
    )
    above = days.filter(coins__gt=F("cap")).count()
    return Finding(
        rule="Unlocking without a tap is off until agreed to, and keeps to its cap",
        because="CPC principle 7: no design that spends what nobody has decided to spend.",
        is_kept=not (unasked or above),
        found=(
            f"{unasked:,} unlocks that nobody had agreed to, {above:,} days above the cap."
            if unasked or above
            else "Every such unlock has a consent of its viewer, and no day went above its cap."
        ),
    )


def _much_is_asked_about(now: datetime) -> Finding:
    limit = settings.SPEND_CONFIRM_COINS
    return Finding(
        rule="Who spends much in a day is asked whether they mean it",
        because="CPC principle 7: respect for vulnerable consumers.",
        is_kept=limit > 0,
        found=(
            f"From {limit:,} coins a day on."
            if limit
            else "SPEND_CONFIRM_COINS is 0, so nobody is asked. Set it to what a day may come to."
        ),
    )


def _limits_are_real(now: datetime) -> Finding:
    endless = Offer.objects.filter(
        kind=OfferKind.LIMITED, is_active=True, ends_at=None, stock=None
    ).values_list("code", flat=True)
    named = ", ".join(sorted(endless)[:5])
    return Finding(
        rule="What is called limited has a limit",
        because="Directive 2005/29/EC, annex I, point 7: no false claim of limited time.",
        is_kept=not named,
        found=(
            f"Without an end and without a stock: {named}. Give them one, or switch them off."
            if named
            else "Every limited offer has an end or a stock, and the database keeps both."
        ),
    )


RULES: tuple[Callable[[datetime], Finding], ...] = (
    _equivalents_shown,
    _no_forced_pack,
    _same_price,
    _paid_coins_stay,
    _agreed_to,
    _much_is_asked_about,
    _limits_are_real,
)
