"""What is owed to viewers besides exact money: looked at in the rows, not in intentions.

The rules follow the key principles on in-game virtual currencies of the EU's consumer authorities (CPC
Network, 2025), as far as a server can keep them, and Apple's App Store Review Guideline 3.1.1 for coins
that were bought. A rule that does not hold is told with what would mend it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Max, Min, Q, QuerySet, Sum

from config import patience
from config.patience import TookTooLong
from payments.chart import LotKind, TransferCode
from payments.models import CoinPack, Lot, LotMovement, Offer, OfferKind, Unlock, UnlockWay
from payments.prices import pricing, usual_price
from payments.prices.pricing import Price
from viewers.models import Environment

#: How far back what was charged is looked at, and how many unlocks at most: the newest.
LOOKED_BACK = timedelta(days=7)
SAMPLED = 50_000
#: So long may a rule take over one statement. The page opens while the database is busy.
PATIENCE_MS = 2_000
#: Ways whose price has an adjustment of their own, the last of those that an unlock keeps.
ADJUSTED_WAYS = (UnlockWay.BUNDLE, UnlockWay.RENTAL)


@dataclass(frozen=True)
class Found:
    """What looking at a rule has shown: whether it holds, and in a sentence why."""

    is_kept: bool
    found: str


@dataclass(frozen=True)
class Rule:
    """What is owed, on whose word, and where it is looked up."""

    rule: str
    because: str
    look: Callable[[datetime], Found]


@dataclass(frozen=True)
class Finding:
    """One rule: whether it holds, None if that could not be seen in time, and in a sentence what was found."""

    rule: str
    because: str
    is_kept: bool | None
    found: str


def report(*, now: datetime) -> Sequence[Finding]:
    """Every rule, in a fixed order, from what is in the database at this moment."""
    return [_finding(rule, now) for rule in RULES]


def _finding(rule: Rule, now: datetime) -> Finding:
    try:
        with patience.of(PATIENCE_MS):
            found = rule.look(now)
    except TookTooLong:
        return Finding(rule.rule, rule.because, None, "It could not be looked at in time.")
    return Finding(rule.rule, rule.because, found.is_kept, found.found)


def _equivalents_shown(now: datetime) -> Found:
    packs = CoinPack.objects.filter(is_active=True).count()
    if not packs:
        return Found(
            False, "No pack is on sale, so there is no price of a coin. Put a pack on sale."
        )
    return Found(True, f"Worked out from the dearest of {packs} packs on sale.")


def _no_forced_pack(now: datetime) -> Found:
    usual = usual_price.remembered_coins(at=now)
    sold = CoinPack.objects.filter(is_active=True)
    smallest = sold.annotate(coins=F("paid_coins") + F("bonus_coins")).order_by("coins").first()
    if usual is None or smallest is None:
        return Found(True, "Nothing is sold yet.")
    coins = smallest.paid_coins + smallest.bonus_coins
    episodes, left = divmod(coins, usual)
    most = settings.SMALLEST_PACK_EPISODES
    told = (
        f"The smallest pack, {smallest}, opens {int(episodes)} episodes at the usual {int(usual)} coins "
        f"and leaves {int(left)} coins."
    )
    if 1 <= episodes <= most:
        return Found(True, told)
    return Found(False, f"{told} Sell one that opens one episode at least, and at most {most}.")


def _same_price(now: datetime) -> Found:
    """Everybody who was quoted the same terms was charged the same, and what those terms say."""
    charged = (
        _newest_unlocks(now)
        .filter(environment=Environment.PRODUCTION, number__isnull=False)
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
    told = f"{len(groups):,} combinations of terms, way and episode in {_SAMPLE}"
    if wrong:
        return Found(False, f"{told}; {wrong:,} were charged otherwise than they say.")
    return Found(True, f"{told}, each at one price.")


def _newest_unlocks(now: datetime) -> QuerySet[Unlock]:
    """Found from the newest backwards, so that it takes as long whatever was sold before."""
    newest = Unlock.objects.order_by("-id")[:SAMPLED]
    return Unlock.objects.filter(
        id__in=newest.values("id"), created_at__gt=now - LOOKED_BACK, created_at__lte=now
    )


def _price_of(group: Mapping[str, object]) -> Price:
    adjustments: Collection[UUID] = group["adjustments"]  # type: ignore[assignment]
    version_id: UUID = group["price_version_id"]  # type: ignore[assignment]
    kept = tuple(adjustments)
    if group["way"] in ADJUSTED_WAYS and kept:
        return Price(version_id, kept[:-1], way_adjustment_id=kept[-1])
    return Price(version_id, kept)


def _paid_coins_stay(now: datetime) -> Found:
    dated = Lot.objects.filter(
        kind=LotKind.PAID, remaining_coins__gt=0, expires_at__isnull=False
    ).exists()
    lapsed = LotMovement.objects.filter(
        lot__kind=LotKind.PAID,
        transfer__code=TransferCode.EXPIRY,
        created_at__gt=now - LOOKED_BACK,
        created_at__lte=now,
    ).exists()
    if dated:
        return Found(False, "There are paid coins with a day on which they lapse.")
    if lapsed:
        return Found(False, f"Paid coins have lapsed in {LOOKED_BACK.days} days.")
    return Found(
        True, f"No paid coins have an end, and none have lapsed in {LOOKED_BACK.days} days."
    )


def _agreed_to(now: datetime) -> Found:
    made = _newest_unlocks(now).filter(way=UnlockWay.AUTO)
    unasked = made.filter(
        Q(consent=None)
        | Q(created_at__lt=F("consent__agreed_at"))
        | Q(created_at__gt=F("consent__ended_at"))
    ).count()
    days = (
        made.filter(reversal=None)
        .values("consent_id", "day")
        .annotate(coins=Sum("price_coins"), cap=Max("consent__daily_cap_coins"))
    )
    above = days.filter(coins__gt=F("cap")).count()
    if unasked or above:
        return Found(
            False,
            f"{unasked:,} unlocks that nobody had agreed to, {above:,} days above the cap, in {_SAMPLE}.",
        )
    return Found(
        True, f"Each had a consent of its viewer, and no day went above its cap, in {_SAMPLE}."
    )


def _much_is_asked_about(now: datetime) -> Found:
    limit = settings.SPEND_CONFIRM_COINS
    if not limit:
        return Found(
            False,
            "SPEND_CONFIRM_COINS is 0, so nobody is asked. Set it to what a day may come to.",
        )
    return Found(True, f"From {limit:,} coins a day on.")


def _limits_are_real(now: datetime) -> Found:
    endless = Offer.objects.filter(
        kind=OfferKind.LIMITED, is_active=True, ends_at=None, stock=None
    ).values_list("code", flat=True)
    if named := ", ".join(sorted(endless)[:5]):
        return Found(
            False,
            f"Without an end and without a stock: {named}. Give them one, or switch them off.",
        )
    return Found(True, "Every limited offer has an end or a stock, and the database keeps both.")


_SAMPLE = f"{LOOKED_BACK.days} days, of which the newest {SAMPLED:,} unlocks were looked at"
RULES = (
    Rule(
        "A price in money stands beside every price in coins",
        "CPC principle 1: the price is clear and in money.",
        _equivalents_shown,
    ),
    Rule(
        "Nobody has to buy many more coins than they want",
        "CPC principle 3: no forced purchase of unwanted coins.",
        _no_forced_pack,
    ),
    Rule(
        "Viewers of one segment pay one price",
        "No price is made for one person: region, platform, link, promotion and arm alone decide.",
        _same_price,
    ),
    Rule(
        "Coins that were bought never lapse",
        "App Store Review Guideline 3.1.1: purchased credits do not expire.",
        _paid_coins_stay,
    ),
    Rule(
        "Unlocking without a tap is off until agreed to, and keeps to its cap",
        "CPC principle 7: no design that spends what nobody has decided to spend.",
        _agreed_to,
    ),
    Rule(
        "Who spends much in a day is asked whether they mean it",
        "CPC principle 7: respect for vulnerable consumers.",
        _much_is_asked_about,
    ),
    Rule(
        "What is called limited has a limit",
        "Directive 2005/29/EC, annex I, point 7: no false claim of limited time.",
        _limits_are_real,
    ),
)
