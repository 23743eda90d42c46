"""What no change may be: refused with a sentence that says what to mend."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings

from config import many_rows
from payments.desk import promotions
from payments.desk.price_changes import effects
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    Content,
    MoveSeries,
    NewVersion,
    Opened,
    PriceTable,
    TermsContent,
)
from payments.models import (
    PlanAssignment,
    PriceVersion,
)
from payments.models.prices import (
    MAXIMUM_EPISODE_NUMBER,
    MAXIMUM_PRICE_COINS,
    MAXIMUM_RENTAL_SECONDS,
    MAXIMUM_SCALE_PARTS_PER_MILLION,
    MINIMUM_RENTAL_SECONDS,
)
from payments.prices import pricing, usual_price
from payments.prices.terms import TermsInvalid

#: A moment typed a little while ago still counts as now.
LATENESS = timedelta(minutes=5)
#: Enough sentences to start mending with.
MAXIMUM_COMPLAINTS = 5


class ContentRefused(Exception):
    """Nothing was kept; `complaints` has a sentence for each of the first few things to mend."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(" ".join(complaints))
        self.complaints = complaints

    @classmethod
    def of(cls, complaint: str) -> "ContentRefused":
        return cls([complaint])


def refuse_content(
    content: Content,
    *,
    series_ids: Collection[UUID],
    effective_from: datetime | None,
    now: datetime,
) -> None:
    """What can be seen without the prices in force. Raises ContentRefused."""
    complaints = []
    for complaint in _of_content(content, series_ids, effective_from, now):
        complaints.append(complaint)
        if len(complaints) == MAXIMUM_COMPLAINTS:
            break
    if complaints:
        raise ContentRefused(complaints)


def refuse_overlap(opened: Opened, *, now: datetime) -> None:
    """Two schedules for the same prices: which came last would decide, and nobody would see it.

    Raises ContentRefused.
    """
    content = opened.content
    if isinstance(content, NewVersion):
        ahead = PriceVersion.objects.filter(
            plan_id=content.plan_id, cancelled_at=None, effective_from__gt=now
        )
        if version := ahead.select_related("plan").first():
            raise ContentRefused.of(
                f"{version.plan} changes already at {version.effective_from:%Y-%m-%d %H:%M}. Let "
                "that come first, or withdraw it and put both into one change."
            )
    elif isinstance(content, Campaign):
        _refuse_second_promotion(opened, content, now)
    else:
        _refuse_second_assignment(opened.series_ids, now)


def refuse_absurd(opened: Opened, *, now: datetime) -> None:
    """A price that is far from what everything else costs is a slip of the hand. Raises ContentRefused."""
    refuse_far_off(_asked(opened, now), now=now)


def refuse_far_off(prices: Iterable[int], *, now: datetime) -> None:
    """Measured is what is asked for an episode, against the median of what the plans in force ask.

    More than PRICE_GUARD_TIMES as much, or less than that part of it, is refused. Raises ContentRefused.
    """
    usual = usual_price.counted_coins(at=now)
    if usual is None:
        return
    low, high = usual / settings.PRICE_GUARD_TIMES, usual * settings.PRICE_GUARD_TIMES
    for price_coins in prices:
        if not low < price_coins < high:
            raise ContentRefused.of(
                f"{price_coins:,} coins an episode is far from what episodes cost, which is "
                f"{int(usual):,}: a price is more than {int(low):,} and less than {int(high):,}. "
                "Look for a slip; should it be meant, go there in steps."
            )


def refuse_adjustment(price: AdjustedPrice) -> None:
    """What no adjustment of a price can be. Raises ContentRefused."""
    if complaints := list(of_adjustment(price)):
        raise ContentRefused(complaints)


def _of_content(
    content: Content,
    series_ids: Collection[UUID],
    effective_from: datetime | None,
    now: datetime,
) -> Iterator[str]:
    if effective_from is not None and effective_from < now - LATENESS:
        yield "The moment has passed. Leave it empty for at once, or name one that is still to come."
    if isinstance(content, NewVersion):
        yield from _of_version(content.terms, "")
        return
    if not series_ids:
        yield "It is about no title: the filter matches nothing."
    if isinstance(content, PriceTable):
        if content.rows.keys() != set(series_ids):
            yield "The table and the titles of the change are not the same."
        for series_id, terms in content.rows.items():
            yield from _of_version(terms, f"Title {series_id}: ")
    elif isinstance(content, Campaign):
        if content.ends_at <= (effective_from or now):
            yield "It would end before it begins."
        yield from of_adjustment(content.price)


def _of_version(terms: TermsContent, where: str) -> Iterator[str]:
    complaints = list(_of_terms(terms, where))
    yield from complaints
    yield from _of_ways(terms, where, can_compare=not complaints)


def _of_terms(terms: TermsContent, where: str) -> Iterator[str]:
    if not 0 <= terms.free_count <= MAXIMUM_EPISODE_NUMBER:
        yield f"{where}Between 0 and {MAXIMUM_EPISODE_NUMBER:,} episodes are free."
    prices = [terms.base_price_coins, *terms.steps.values()]
    if not all(0 < price_coins <= MAXIMUM_PRICE_COINS for price_coins in prices):
        yield (
            f"{where}An episode costs between 1 and {MAXIMUM_PRICE_COINS:,} coins. To give episodes "
            "away, make them free."
        )
    if not all(0 <= price_coins <= MAXIMUM_PRICE_COINS for price_coins in terms.overrides.values()):
        yield f"{where}A single episode costs at most {MAXIMUM_PRICE_COINS:,} coins, or 0 if it is free."
    if not all(1 < number <= MAXIMUM_EPISODE_NUMBER for number in terms.steps):
        yield f"{where}Steps begin at episode 2 or later; the price up to there is the base price."
    if not all(0 < number <= MAXIMUM_EPISODE_NUMBER for number in terms.overrides):
        yield f"{where}Episodes are counted from 1 to {MAXIMUM_EPISODE_NUMBER:,}."
    try:
        terms.terms.refuse_falling()
    except TermsInvalid as refusal:
        yield where + str(refusal)
    for variant in terms.variants:
        if not (variant.regions or variant.platforms):
            yield f"{where}A price that differs says where: regions, platforms, or both."
        yield from of_adjustment(variant, where)


def _of_ways(terms: TermsContent, where: str, *, can_compare: bool) -> Iterator[str]:
    """A bundle and a rental ask something, and for no episode more than buying it alone."""
    for way, name in ((terms.bundle, "bought with the rest"), (terms.rental, "rented")):
        if way is None:
            continue
        complaints = list(of_adjustment(way, f"{where}An episode {name}: "))
        if way.free_count is not None:
            complaints.append(
                f"{where}An episode {name}: say a price or a percentage; which episodes are free is the "
                "version's own to say."
            )
        if way.scale_parts_per_million == 0:
            complaints.append(f"{where}An episode {name} costs a coin at least.")
        if can_compare and not complaints and (number := _dearer(terms, way)):
            complaints.append(
                f"{where}Episode {number} would cost more {name} than alone. Ask less for it."
            )
        yield from complaints
    seconds = terms.rental.seconds if terms.rental else MINIMUM_RENTAL_SECONDS
    if not MINIMUM_RENTAL_SECONDS <= seconds <= MAXIMUM_RENTAL_SECONDS:
        yield f"{where}An episode is rented for an hour at least, and for 30 days at most."


def _ways(terms: TermsContent) -> Sequence[AdjustedPrice]:
    return [way for way in (terms.bundle, terms.rental) if way is not None]


def _dearer(terms: TermsContent, way: AdjustedPrice) -> int | None:
    """The first episode that would cost more in a way than alone, to somebody; None if none would."""
    for adjustments in [(), *((variant.adjustment,) for variant in terms.variants)]:
        alone = dict(terms.terms.adjusted(adjustments).turns())
        asked = dict(terms.terms.adjusted([*adjustments, way.adjustment]).turns())
        alone_coins = asked_coins = 0
        for number in sorted(alone.keys() | asked.keys()):
            alone_coins = alone.get(number, alone_coins)
            asked_coins = asked.get(number, asked_coins)
            if asked_coins > alone_coins:
                return number
    return None


def of_adjustment(price: AdjustedPrice, where: str = "") -> Iterator[str]:
    """What is wrong with it, in sentences that begin with `where`."""
    scale = price.scale_parts_per_million
    if (price.free_count, price.price_coins, scale) == (None, None, None):
        yield f"{where}It changes nothing: say how many episodes are free, a price, or a percentage."
    if price.free_count is not None and not 0 <= price.free_count <= MAXIMUM_EPISODE_NUMBER:
        yield f"{where}Between 0 and {MAXIMUM_EPISODE_NUMBER:,} episodes are free."
    if price.price_coins is not None and not 0 < price.price_coins <= MAXIMUM_PRICE_COINS:
        yield f"{where}An episode costs between 1 and {MAXIMUM_PRICE_COINS:,} coins."
    if scale is not None and not 0 <= scale <= MAXIMUM_SCALE_PARTS_PER_MILLION:
        yield f"{where}A price is scaled to between nothing and a hundred times what it was."


def _refuse_second_promotion(opened: Opened, content: Campaign, now: datetime) -> None:
    starts_at = effects.moment_of(opened.change, now=now)
    others = promotions.overlapping(
        series_ids=opened.series_ids, starts_at=starts_at, ends_at=content.ends_at
    )
    if others:
        raise ContentRefused.of(
            f"{others[0]} is on for some of these titles from {others[0].starts_at:%Y-%m-%d %H:%M} "
            f"to {others[0].ends_at:%Y-%m-%d %H:%M}. Choose another time, or leave those titles out."
        )


def _refuse_second_assignment(series_ids: Collection[UUID], now: datetime) -> None:
    ahead = PlanAssignment.objects.filter(
        many_rows.among("series_id", series_ids), cancelled_at=None, effective_from__gt=now
    )
    if first := ahead.order_by("effective_from").select_related("series", "plan").first():
        raise ContentRefused.of(
            f"{first.series} moves to {first.plan} at {first.effective_from:%Y-%m-%d %H:%M} already. "
            "Let that come first, or withdraw it."
        )


def _asked(opened: Opened, now: datetime) -> Iterator[int]:
    """Every price above 0 that the change brings."""
    content = opened.content
    if isinstance(content, MoveSeries):
        begun = PriceVersion.objects.filter(
            plan_id=content.plan_id,
            cancelled_at=None,
            effective_from__lte=effects.moment_of(opened.change, now=now),
        )
        if version := begun.order_by("-effective_from").first():
            yield from {price for _, price in pricing.terms_of(version.id).turns() if price}
    for terms in _terms(content):
        adjusted = [(), *((one.adjustment,) for one in (*terms.variants, *_ways(terms)))]
        for adjustments in adjusted:
            yield from {price for _, price in terms.terms.adjusted(adjustments).turns() if price}
    if isinstance(content, Campaign) and content.price.price_coins is not None:
        yield content.price.price_coins


def _terms(content: Content) -> Iterable[TermsContent]:
    """What it asks; what many titles ask is said once."""
    if isinstance(content, NewVersion):
        return [content.terms]
    rows = content.rows.values() if isinstance(content, PriceTable) else ()
    return {msgspec.msgpack.encode(terms): terms for terms in rows}.values()
