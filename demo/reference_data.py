"""What a shop needs before it can sell: coin packs, passes, subscriptions, each store's terms, a second price plan,
a placement of rewarded ads, tasks for coins, and a policy of what viewers are offered.

Everything is made if it is missing and left alone if it is there, so that a demo started again
keeps what an operator changed in between.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from ads.models import CheckInDay, Network, Placement, Task, TaskKind, TaskPeriod, TaskText
from catalog.models import Series
from payments.desk import offer_policies, plans, price_versions
from payments.models import (
    CoinPack,
    Means,
    OfferPolicy,
    OfferRule,
    PassProduct,
    Payer,
    PricePlan,
    Provider,
    StoreProduct,
    StoreTerms,
)

SINCE = datetime(2000, 1, 1, tzinfo=UTC)
#: What each store keeps of a price: small sellers' 15 % in apps, and about what cards cost.
FEES_PARTS_PER_MILLION = {
    Provider.APPLE: 150_000,
    Provider.GOOGLE: 150_000,
    Provider.STRIPE: 60_000,
    Provider.FAKE: 150_000,
}


@dataclass(frozen=True)
class Pack:
    """A coin pack; its products in the stores are named after its code."""

    code: str
    title: str
    price_micros: int
    paid_coins: int
    bonus_coins: int


PACKS = (
    Pack("coins-500", "500 coins", 4_990_000, 500, 0),
    Pack("coins-1000", "1,000 coins + 50", 9_990_000, 1_000, 50),
    Pack("coins-2000", "2,000 coins + 200", 19_990_000, 2_000, 200),
    Pack("coins-10000", "10,000 coins + 1,500", 99_990_000, 10_000, 1_500),
)


@dataclass(frozen=True)
class Pass:
    """A pass; its products in the stores are named after its code. One that renews is a subscription, which brings
    coins with each period."""

    code: str
    title: str
    price_micros: int
    months: int = 0
    days: int = 0
    is_renewing: bool = False
    period_coins: int = 0


PASSES = (
    Pass("vip-week", "VIP for a week", 19_990_000, days=7),
    Pass("vip-month", "VIP for a month", 39_990_000, months=1),
    Pass("vip-year", "VIP for a year", 99_990_000, months=12),
    Pass(
        "vip-weekly",
        "VIP, renewed every week",
        9_990_000,
        days=7,
        is_renewing=True,
        period_coins=100,
    ),
    Pass(
        "vip-monthly",
        "VIP, renewed every month",
        24_990_000,
        months=1,
        is_renewing=True,
        period_coins=500,
    ),
)

SHORT_PLAN = "Short serials"
SHORT_FREE_COUNT = 2
SHORT_PRICE_COINS = 40
SHORT_OVERRIDES = {5: 100}
"""Two chapters free, forty coins a chapter, and a hundred for the fifth, which ends the story."""

SHORT_SERIALS = ("fantomas-1913",)
"""With eight chapters free, as in the standard plan, a serial of five would sell nothing."""

AD_PLACEMENT = "unlock"
AD_UNIT = "fake-rewarded-1"
AD_DAILY_CAP = 5
AD_COOLDOWN_SECONDS = 15
AD_NET_MICROS = 12_000
"""An estimate like an operator's: 12 dollars for a thousand ads watched to the end."""

CHECK_IN_COINS = (10, 10, 80, 20, 30, 40, 200)
"""What the days of a streak give in the app that the market's figures are from."""

TASK_COINS_DAYS = 8

OFFER_POLICY, OFFER_HOLDOUT_PERCENT = "With and without ads", 10
OFFER_ARMS: list[tuple[str, list[str], int]] = [
    ("ad-first", [Means.AD, Means.COINS, Means.PACKS, Means.SUBSCRIPTION], 1),
    ("no-ad", [Means.COINS, Means.PACKS, Means.SUBSCRIPTION], 1),
]


@dataclass(frozen=True)
class Chore:
    """Something to do for coins."""

    code: str
    title: str
    kind: TaskKind
    period: TaskPeriod
    target_count: int
    bonus_coins: int


CHORES = (
    Chore("check-in", "Come back every day", TaskKind.CHECK_IN, TaskPeriod.DAILY, 1, 0),
    Chore("watch-2", "Watch two minutes", TaskKind.WATCH, TaskPeriod.DAILY, 120, 12),
    Chore("watch-5", "Watch five minutes", TaskKind.WATCH, TaskPeriod.DAILY, 300, 18),
    Chore("watch-10", "Watch ten minutes", TaskKind.WATCH, TaskPeriod.DAILY, 600, 30),
    Chore("watch-20", "Watch twenty minutes", TaskKind.WATCH, TaskPeriod.DAILY, 1200, 80),
    Chore("watch-30", "Watch half an hour", TaskKind.WATCH, TaskPeriod.DAILY, 1800, 100),
    Chore("ads-3", "Watch three ads", TaskKind.ADS, TaskPeriod.DAILY, 3, 20),
    Chore("sign-in", "Sign in", TaskKind.IDENTITY, TaskPeriod.ONCE, 1, 30),
    Chore("notify-me", "Switch on news", TaskKind.NOTIFICATIONS, TaskPeriod.ONCE, 1, 30),
    Chore("welcome", "Welcome", TaskKind.SIGN_UP, TaskPeriod.ONCE, 600, 50),
)
"""The gears of watching and what a day gives are those of the same app: some 240 coins a day."""


def load(*, now: datetime) -> None:
    """Makes what is missing. A plan is assigned to its series once that was pushed."""
    with transaction.atomic():
        for position, pack in enumerate(PACKS):
            _load_pack(pack, position=position, now=now)
        for position, each in enumerate(PASSES):
            _load_pass(each, position=position, now=now)
        for provider, fee in FEES_PARTS_PER_MILLION.items():
            StoreTerms.objects.get_or_create(
                provider=provider,
                effective_from=SINCE,
                defaults={"fee_parts_per_million": fee},
            )
        _load_placement(now=now)
        for position, chore in enumerate(CHORES):
            _load_chore(chore, position=position, now=now)
        plan = _short_plan(now=now)
        unassigned = Series.objects.filter(
            external_id__in=SHORT_SERIALS, plan_assignments__isnull=True
        )
        plans.assign(
            plan=plan,
            series_ids=list(unassigned.values_list("id", flat=True)),
            effective_from=SINCE,
            now=now,
        )


def load_offer_policy(*, operator_id: int, now: datetime) -> None:
    """Puts a policy in force where there has been none: from their second locked episode on, half of those who
    never paid are shown no ad, so that what ads cost and bring can be told."""
    if OfferPolicy.objects.exists():
        return
    with transaction.atomic():
        policy = OfferPolicy.objects.create(
            name=OFFER_POLICY, holdout_percent=OFFER_HOLDOUT_PERCENT, created_at=now
        )
        rule = OfferRule.objects.create(
            policy=policy,
            position=1,
            name="Never paid, and not at the first lock",
            payers=[Payer.NEVER_PAID],
            encounters_from=2,
        )
        offer_policies.set_arms(rule, OFFER_ARMS)
        offer_policies.put_in_force(policy_id=policy.id, operator_id=operator_id, now=now)


def _load_pack(pack: Pack, *, position: int, now: datetime) -> None:
    row, _ = CoinPack.objects.get_or_create(
        code=pack.code,
        defaults={
            "title": pack.title,
            "price_micros": pack.price_micros,
            "paid_coins": pack.paid_coins,
            "bonus_coins": pack.bonus_coins,
            "position": position,
            "created_at": now,
        },
    )
    for provider in Provider:
        StoreProduct.objects.get_or_create(
            provider=provider,
            pack=row,
            defaults={"store_product_id": store_name(provider, pack.code)},
        )


def _load_pass(each: Pass, *, position: int, now: datetime) -> None:
    row, _ = PassProduct.objects.get_or_create(
        code=each.code,
        defaults={
            "title": each.title,
            "price_micros": each.price_micros,
            "period_months": each.months,
            "period_days": each.days,
            "is_renewing": each.is_renewing,
            "period_coins": each.period_coins,
            "position": position,
            "created_at": now,
        },
    )
    for provider in Provider:
        StoreProduct.objects.get_or_create(
            provider=provider,
            pass_product=row,
            defaults={"store_product_id": store_name(provider, each.code)},
        )


def store_name(provider: Provider, code: str) -> str:
    """A store's name for a product, in the letters that it allows: the App Store's and Google's have no hyphens."""
    match provider:
        case Provider.APPLE:
            return f"app.cliffhanger.{code.replace('-', '.')}"
        case Provider.GOOGLE:
            return code.replace("-", "_")
        case Provider.STRIPE:
            return code
        case Provider.FAKE:
            return f"fake.{code}"


def _load_placement(*, now: datetime) -> None:
    Placement.objects.get_or_create(
        code=AD_PLACEMENT,
        defaults={
            "title": "Watch an ad, open the episode",
            "network": Network.FAKE,
            "ad_unit_id": AD_UNIT,
            "daily_cap": AD_DAILY_CAP,
            "cooldown_seconds": AD_COOLDOWN_SECONDS,
            "estimated_net_micros": AD_NET_MICROS,
            "created_at": now,
        },
    )


def _load_chore(chore: Chore, *, position: int, now: datetime) -> None:
    task, is_new = Task.objects.get_or_create(
        code=chore.code,
        defaults={
            "kind": chore.kind,
            "period": chore.period,
            "target_count": chore.target_count,
            "bonus_coins": chore.bonus_coins,
            "coins_expire_after_days": TASK_COINS_DAYS,
            "position": position,
            "starts_at": SINCE,
            "created_at": now,
        },
    )
    if not is_new:
        return
    TaskText.objects.create(task=task, locale="en", title=chore.title)
    if chore.kind == TaskKind.CHECK_IN:
        CheckInDay.objects.bulk_create(
            CheckInDay(task=task, number=number, bonus_coins=coins)
            for number, coins in enumerate(CHECK_IN_COINS, start=1)
        )


def _short_plan(*, now: datetime) -> PricePlan:
    plan, is_new = PricePlan.objects.get_or_create(name=SHORT_PLAN, defaults={"created_at": now})
    if is_new:
        price_versions.add(
            plan=plan,
            effective_from=SINCE,
            free_count=SHORT_FREE_COUNT,
            base_price_coins=SHORT_PRICE_COINS,
            overrides=SHORT_OVERRIDES,
            now=now,
        )
    return plan
