"""Networks' days, which begin at a midnight of their own."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from ads.models import Network, RevenueDay

_UTC = ZoneInfo("UTC")


def zone(network: str) -> ZoneInfo:
    """The time zone of a network's reports: UTC, if settings.AD_REPORT_ZONES name no other."""
    return zones().get(network, _UTC)


def zones() -> dict[str, ZoneInfo]:
    """The zones of settings.AD_REPORT_ZONES, by network. Raises ValueError for what is none."""
    found = {}
    for word in settings.AD_REPORT_ZONES:
        network, _, name = word.partition(":")
        if network not in Network.values:
            raise ValueError(f"{network!r} is no ad network")
        try:
            found[network] = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no time zone") from error
    return found


def of(network: str, moment: datetime) -> date:
    """The network's day in which a moment lies."""
    return moment.astimezone(zone(network)).date()


def bounds(network: str, day: date) -> tuple[datetime, datetime]:
    """When a network's day begins, and when the next one does."""
    first, last = (
        datetime.combine(each, time.min, zone(network)).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )
    return first, last


def noon(network: str, day: date) -> datetime:
    """A moment within a network's day, which rates of exchange are of."""
    return datetime.combine(day, time(12), zone(network)).astimezone(UTC)


def expect(found: Iterable[tuple[str, str, date]]) -> None:
    """Has days settled of which something is known now: network, environment, day."""
    RevenueDay.objects.bulk_create(
        [
            RevenueDay(network=network, environment=environment, day=day)
            for network, environment, day in sorted(set(found))
        ],
        ignore_conflicts=True,
    )
