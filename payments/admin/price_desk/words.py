"""How a change of prices is said in a line."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    Content,
    MoveSeries,
    NewVersion,
    TermsContent,
)
from payments.models import PricePlan
from payments.money import PARTS_PER_MILLION
from viewers.models import Platform


def what(content: Content) -> str:
    """`Standard: 8 free, then 70 coins`, `20 % off until 2026-04-01 00:00 UTC`."""
    if isinstance(content, NewVersion):
        return f"{_plan(content)}: {terms(content.terms)}"
    if isinstance(content, MoveSeries):
        return f"Priced by {_plan(content)}"
    if isinstance(content, Campaign):
        until = f"until {content.ends_at:%Y-%m-%d %H:%M} UTC"
        return f"{_capital(adjusted(content.price))} {until}{where(content.regions, content.platforms)}"
    return f"Prices of their own for {counted(len(content.rows), 'title')}, from a table"


def terms(content: TermsContent) -> str:
    """`8 free, then 60 coins, 80 from episode 30, 3 episodes otherwise`."""
    return ", ".join(_terms(content))


def _terms(content: TermsContent) -> Iterator[str]:
    free = f"{content.free_count:,} free, then " if content.free_count else ""
    yield f"{free}{counted(content.base_price_coins, 'coin')}"
    for number, price_coins in sorted(content.steps.items())[:3]:
        yield f"{price_coins:,} from episode {number:,}"
    if len(content.steps) > 3:
        yield f"{len(content.steps) - 3:,} steps more"
    if content.overrides:
        yield f"{counted(len(content.overrides), 'episode')} otherwise"
    for variant in content.variants:
        yield f"{adjusted(variant)}{where(variant.regions, variant.platforms)}"
    if content.bundle is not None:
        yield f"the rest at once: {adjusted(content.bundle)}"
    if content.rental is not None:
        hours = content.rental.seconds // 3600
        yield f"rented for {counted(hours, 'hour')}: {adjusted(content.rental)}"


def adjusted(price: AdjustedPrice) -> str:
    """`20 % off`, `10 episodes free`, `40 coins an episode`."""
    said = []
    if price.free_count is not None:
        said.append(f"{counted(price.free_count, 'episode')} free")
    if price.price_coins is not None:
        said.append(f"{counted(price.price_coins, 'coin')} an episode")
    if price.scale_parts_per_million is not None:
        said.append(scaled(price.scale_parts_per_million))
    return " and ".join(said) or "as it is"


def scaled(parts_per_million: int) -> str:
    """`20 % off`, `everything free`, `150 % of the price`."""
    if parts_per_million == 0:
        return "everything free"
    if parts_per_million < PARTS_PER_MILLION:
        return f"{_percent(PARTS_PER_MILLION - parts_per_million)} % off"
    return f"{_percent(parts_per_million)} % of the price"


def where(regions: Sequence[str], platforms: Sequence[str]) -> str:
    """` in BR, US on iOS`; nothing where it is everywhere."""
    labels = [Platform(one).label for one in platforms]
    region = f" in {', '.join(regions)}" if regions else ""
    return f"{region} on {', '.join(labels)}" if labels else region


def rise(parts_per_million: int) -> str:
    """`+33.3 %`, `−12 %`, `0 %`."""
    if parts_per_million == 0:
        return "0 %"
    return f"{'+' if parts_per_million > 0 else '−'}{_percent(abs(parts_per_million))} %"


def counted(number: int, unit: str) -> str:
    """`1 title`, `30,000 titles`."""
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def moment(at: datetime | None) -> str:
    """`2026-04-01 12:00 UTC`, or `–`."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "–"


def _percent(parts_per_million: int) -> str:
    exact = Decimal(parts_per_million * 100) / PARTS_PER_MILLION
    shown = f"{exact.quantize(Decimal('0.1'), ROUND_HALF_UP):,}"
    return shown.removesuffix(".0")


def _plan(content: NewVersion | MoveSeries) -> str:
    plan = PricePlan.objects.filter(id=content.plan_id).first()
    return str(plan) if plan else "a plan that is gone"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
