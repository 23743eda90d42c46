"""Fetching networks' reports on a schedule, from those whose API is known.

AdMob: networkReport:generate of the AdMob API, for which an owner of the account has agreed by OAuth. AppLovin
MAX: the user-level ad revenue report, a file for each day and app, which is there eight hours after the
UTC day. Both restate days: the last ones are fetched again.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from django.conf import settings
from django.db.models import Q

from ads.models import Network, ReportOrigin, ReportPull
from ads.revenue import days, reports
from ads.revenue.reports import Brought

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
TIMEOUT = httpx.Timeout(20, connect=3)
MAXIMUM_BYTES = 32 * 1024 * 1024
ADMOB_DAYS = 7
APPLOVIN_DAYS = 3
APPLOVIN_LAG = timedelta(hours=8)
SCOPE_CHARACTERS = 50
#: Asks a network for one of its reports. Raises PullFailed.
Fetch = Callable[[], Brought]


class PullFailed(Exception):
    """The network did not answer with a report."""


def pull_due(*, now: datetime) -> int:
    """Fetches the reports of networks that were not asked for EVERY; returns of how many days there was a new
    version. One that fails says why, and is tried again then."""
    return sum(_pulled(network, now) for network in _due(now) if _claim(network, now))


def pull(network: str, *, now: datetime) -> int:
    """Fetches a network's reports of its last days, each between transactions. Raises PullFailed when all have
    been tried: one that fails keeps no other from being taken."""
    fresh, failures = 0, list[str]()
    for fetch in _SOURCES[network](now):
        try:
            fresh += _taken(fetch(), now)
        except PullFailed as failure:
            failures.append(str(failure))
    if failures:
        raise PullFailed("; ".join(dict.fromkeys(failures)))
    return fresh


def _taken(brought: Brought, now: datetime) -> int:
    taken = reports.take(brought, now=now)
    if taken.refusals:
        first = taken.refusals[0]
        raise PullFailed(f"{brought.name}, line {first.line_number}: {first.reason}")
    return len(taken.new_days)


def _due(now: datetime) -> list[str]:
    wanted = {
        Network.ADMOB: bool(settings.ADMOB_PUBLISHER_ID and settings.ADMOB_REFRESH_TOKEN),
        Network.APPLOVIN: bool(settings.APPLOVIN_REPORT_KEY and settings.APPLOVIN_REPORT_APPS),
    }
    return [str(network) for network, is_set_up in wanted.items() if is_set_up]


def _claim(network: str, now: datetime) -> bool:
    """Takes the fetch upon us, unless somebody has within EVERY."""
    ReportPull.objects.get_or_create(network=network)
    rested = Q(attempted_at__isnull=True) | Q(attempted_at__lte=now - EVERY)
    return ReportPull.objects.filter(rested, network=network).update(attempted_at=now) == 1


def _pulled(network: str, now: datetime) -> int:
    row = ReportPull.objects.filter(network=network)
    try:
        fresh = pull(network, now=now)
    except PullFailed as error:
        logger.warning("the reports of %s were not fetched: %s", network, error)
        row.update(failure=str(error)[:300])
        return 0
    row.update(fetched_at=now, failure="")
    return fresh


def _admob(now: datetime) -> Iterator[Fetch]:
    last = days.of(Network.ADMOB, now) - timedelta(days=1)
    first = last - timedelta(days=ADMOB_DAYS - 1)
    yield partial(_admob_days, first, last)


def _admob_days(first: date, last: date) -> Brought:
    client_id, _, client_secret = settings.ADMOB_OAUTH_CLIENT.partition(":")
    granted = _json(
        _asked(
            "POST",
            settings.ADMOB_TOKEN_URL,
            data={
                "grant_type": "refresh_token",
                "refresh_token": settings.ADMOB_REFRESH_TOKEN,
                "client_id": client_id,
                "client_secret": client_secret,
            },
        )
    )
    account = f"accounts/{settings.ADMOB_PUBLISHER_ID}"
    content = _asked(
        "POST",
        f"{settings.ADMOB_REPORTS_URL}/v1/{account}/networkReport:generate",
        json={"reportSpec": _report_spec(first, last)},
        headers={"Authorization": f"Bearer {granted.get('access_token', '')}"},
    )
    return _brought(Network.ADMOB, content, f"{first} to {last}")


def _report_spec(first: date, last: date) -> Mapping[str, Any]:
    spec: dict[str, Any] = {
        "dateRange": {"startDate": _parts(first), "endDate": _parts(last)},
        "dimensions": ["DATE", "AD_UNIT", "COUNTRY"],
        "metrics": ["ESTIMATED_EARNINGS", "IMPRESSIONS"],
    }
    if settings.ADMOB_APP_IDS:
        matches = {"values": list(settings.ADMOB_APP_IDS)}
        spec["dimensionFilters"] = [{"dimension": "APP", "matchesAny": matches}]
    return spec


def _parts(day: date) -> Mapping[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _applovin(now: datetime) -> Iterator[Fetch]:
    last = days.of(Network.APPLOVIN, now - APPLOVIN_LAG) - timedelta(days=1)
    for app in settings.APPLOVIN_REPORT_APPS:
        for number in range(APPLOVIN_DAYS):
            yield partial(_applovin_day, app, last - timedelta(days=number))


def _applovin_day(app: str, day: date) -> Brought:
    platform, _, application = app.partition(":")
    answer = _json(
        _asked(
            "GET",
            f"{settings.APPLOVIN_REPORTS_URL}/max/userAdRevenueReport",
            params={
                "api_key": settings.APPLOVIN_REPORT_KEY,
                "date": day.isoformat(),
                "platform": platform,
                "application": application,
                "aggregated": "false",
            },
        )
    )
    address = str(answer.get("ad_revenue_report_url", ""))
    _check(address)
    return _brought(Network.APPLOVIN, _asked("GET", address), f"{app} {day}", _scope(app))


def _scope(app: str) -> str:
    """What tells an app's reports apart: its name, cut where it is long, with what no other's is cut to."""
    name = re.sub(r"[^A-Za-z0-9_]", "-", app)
    if len(name) <= SCOPE_CHARACTERS:
        return name
    return f"{name[: SCOPE_CHARACTERS - 9]}-{hashlib.sha256(app.encode()).hexdigest()[:8]}"


def _check(address: str) -> None:
    """A file's address is the network's to say, but not its scheme."""
    if urlsplit(address).scheme != urlsplit(settings.APPLOVIN_REPORTS_URL).scheme:
        raise PullFailed(f"answered with {address[:60]!r}, where no report is")


def _brought(network: str, content: bytes, name: str, scope: str = "") -> Brought:
    return Brought(
        content=content, network=network, name=name, origin=ReportOrigin.PULLED, scope=scope
    )


def _asked(method: str, url: str, **request: Any) -> bytes:
    """What a network answers, of a bounded size. Raises PullFailed."""
    content = b""
    try:
        with httpx.stream(method, url, timeout=TIMEOUT, **request) as response:
            if response.status_code != httpx.codes.OK:
                raise PullFailed(f"{urlsplit(url).path} answered {response.status_code}")
            for piece in response.iter_bytes(64 * 1024):
                content += piece
                if len(content) > MAXIMUM_BYTES:
                    raise PullFailed("the report is larger than 32 MB")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Neither the address nor the error's text is told: keys are in it.
        raise PullFailed(f"{urlsplit(url).path} failed: {type(error).__name__}") from error
    return content


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PullFailed("what was answered is no JSON") from error


_SOURCES: Mapping[str, Callable[[datetime], Iterator[Fetch]]] = {
    Network.ADMOB: _admob,
    Network.APPLOVIN: _applovin,
}
