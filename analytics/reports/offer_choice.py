"""What policies of offers bring: by rule and arm, and what the ad takes from what viewers pay.

By the decisions that were logged, and the ledger alone. Means are of encounters, their intervals by viewers, of
whom one meets many paywalls (reference: Horvitz-Thompson weights, self-normalised; Swaminathan and Joachims,
2015, and cluster-robust variances of ratios).
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from math import sqrt
from uuid import UUID

import msgspec

from analytics.reports import definitions
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source

WINDOW = timedelta(hours=24)
#: Fewer than so many say nothing, nor do figures of which one encounter is more than that share.
LEAST_EFFECTIVE = 200
GREATEST_SHARE = 0.05
#: Of the normal distribution, for 95 percent.
_DEVIATIONS = 1.959964


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A mean with its 95 % interval, in micros; the ends are None where too few viewers say anything."""

    mean_micros: int
    low_micros: int | None
    high_micros: int | None


class OfferArmRow(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of one arm of a rule; `holdout` is one in each, and `default` where no rule fitted.

    `immature` decisions are in no other count. The means are None without any that is mature.
    """

    policy_id: UUID
    policy: str
    rule: str
    arm: str
    shows_ad: bool
    encounters: int
    immature: int
    viewers: int
    opened_by_coins: int
    opened_by_ad: int
    opened_by_subscription: int
    conversion: float | None
    coin_micros: int
    subscription_micros: int
    ad_micros: int
    paid_per_encounter: Interval | None
    ad_per_encounter: Interval | None


class Cannibalisation(msgspec.Struct, frozen=True, kw_only=True):
    """Encounters that were shown the ad less those that were not, per encounter and weighted by chance.

    A `paid` below nothing is what the ad takes of coins and subscriptions; `ad` is what it brings. Both are
    None, and `insufficient_overlap` true, where too few could have gone either way. The policy and rule are
    None in the figure of all of them.
    """

    policy_id: UUID | None
    policy: str | None
    rule: str | None
    with_ad: int
    without_ad: int
    insufficient_overlap: bool
    paid: Interval | None
    ad: Interval | None


class OffersBy(StrEnum):
    """What the table has a row for: arms, or comparisons of what shows the ad and what does not."""

    ARM = "arm"
    CANNIBALISATION = "cannibalisation"


class OfferChoiceReport(Report, frozen=True, kw_only=True):
    """Arms by policy and rule, and what the ad takes and brings: by rule, and of all together last."""

    by: OffersBy
    currency: str
    arms: Sequence[OfferArmRow]
    cannibalisation: Sequence[Cannibalisation]


def table(
    *,
    source: Source,
    currency: str,
    policy_id: UUID | None = None,
    by: OffersBy = OffersBy.ARM,
) -> OfferChoiceReport:
    """Decisions of all policies, or of one."""
    asked = None if policy_id is None else str(policy_id)
    source.load("offer_decisions", "unlocks", "covered", "billings")
    source.rows(
        "offer_outcomes",
        policy_id=asked,
        watermark=source.watermark,
        mature_until=source.watermark - WINDOW,
    )
    compared = [_compared(*row) for row in source.rows("offer_cannibalisation")]
    return OfferChoiceReport(
        **heading(
            source=source,
            definition=[
                definitions.OFFER_CONVERSION,
                definitions.OFFER_REVENUE,
                definitions.OFFER_CANNIBALISATION,
            ],
            filters={"policy_id": asked},
            population=[
                "environment production",
                "decisions whose 24 hours are over; the others are counted as immature",
            ],
        ),
        by=by,
        currency=currency,
        arms=[_arm(*row) for row in source.rows("offer_arms")],
        cannibalisation=sorted(compared, key=lambda one: one.policy_id is None),
    )


def _arm(
    policy_id: str,
    policy: str,
    rule_place: int,
    rule: str,
    arm: str,
    shows_ad: bool,
    encounters: int,
    immature: int,
    by_coins: int,
    by_ad: int,
    by_subscription: int,
    coin_micros: float,
    subscription_micros: float,
    ad_micros: float,
    viewers: int,
    effective_viewers: float,
    paid_variance: float | None,
    ad_variance: float | None,
) -> OfferArmRow:
    is_told = effective_viewers >= LEAST_EFFECTIVE
    paid_micros = coin_micros + subscription_micros
    return OfferArmRow(
        policy_id=UUID(policy_id),
        policy=policy,
        rule=rule,
        arm=arm,
        shows_ad=shows_ad,
        encounters=encounters,
        immature=immature,
        viewers=viewers,
        opened_by_coins=by_coins,
        opened_by_ad=by_ad,
        opened_by_subscription=by_subscription,
        conversion=share(by_coins + by_ad + by_subscription, encounters),
        coin_micros=round(coin_micros),
        subscription_micros=round(subscription_micros),
        ad_micros=round(ad_micros),
        paid_per_encounter=_mean(paid_micros, encounters, paid_variance, is_told),
        ad_per_encounter=_mean(ad_micros, encounters, ad_variance, is_told),
    )


def _mean(micros: float, count: int, variance: float | None, is_told: bool) -> Interval | None:
    if not count or variance is None:
        return None
    return _interval(micros / count, variance, is_told=is_told)


def _compared(
    policy_id: str,
    policy: str,
    rule_place: int,
    rule: str,
    with_ad: int,
    without_ad: int,
    with_paid: float,
    without_paid: float,
    with_ads: float,
    without_ads: float,
    paid_variance: float,
    ads_variance: float,
    effective_size: float,
    heaviest_share: float,
) -> Cannibalisation:
    is_enough = effective_size >= LEAST_EFFECTIVE and heaviest_share <= GREATEST_SHARE
    return Cannibalisation(
        policy_id=UUID(policy_id) if policy_id else None,
        policy=policy or None,
        rule=rule or None,
        with_ad=with_ad,
        without_ad=without_ad,
        insufficient_overlap=not is_enough,
        paid=_interval(with_paid - without_paid, paid_variance) if is_enough else None,
        ad=_interval(with_ads - without_ads, ads_variance) if is_enough else None,
    )


def _interval(mean: float, variance: float, *, is_told: bool = True) -> Interval:
    half = _DEVIATIONS * sqrt(variance)
    return Interval(
        mean_micros=round(mean),
        low_micros=round(mean - half) if is_told else None,
        high_micros=round(mean + half) if is_told else None,
    )
