"""Reports are fetched from networks over HTTP: what they restate is a new version, what fails is told."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pytest_django.fixtures import Settings

from ads.models import ReportedDay, ReportLine, ReportPull, RevenueReport
from ads.revenue import pulling
from demo import ports
from demo.networks.server import AdNetworks
from tests.demo.networks.test_ad_networks import answers, wait_until

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
APP = "android:com.example.app"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    port = ports.any_free()
    peer = AdNetworks(tmp_path_factory.mktemp("networks")).peer
    threading.Thread(target=peer.serve, args=[port], daemon=True).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        wait_until(lambda: answers(client))
        yield client


@pytest.fixture
def networks(served: httpx.Client, settings: Settings, db: None) -> httpx.Client:
    """The networks, and our side set up to ask them; they have nothing to report yet."""
    for name, value in served.get("/_settings").json().items():
        if name in {"ADMOB_OAUTH_CLIENT", "ADMOB_REFRESH_TOKEN", "APPLOVIN_REPORT_KEY"}:
            setattr(settings, name, value)
    base = str(served.base_url).rstrip("/")
    settings.ADMOB_REPORTS_URL = f"{base}/admob"
    settings.ADMOB_TOKEN_URL = f"{base}/admob/token"
    settings.ADMOB_PUBLISHER_ID = "pub-1"
    settings.APPLOVIN_REPORTS_URL = f"{base}/applovin"
    settings.APPLOVIN_REPORT_APPS = [APP]
    served.put("/_reports", json={})
    served.put("/_faults", json={})
    return served


def _line(network: str, day: object, **of: Any) -> dict[str, Any]:
    unit = {"admob": "ca-app-pub-1/22", "applovin": "9ad0816ac071552a"}[network]
    return {
        "network": network,
        "day": str(day),
        "ad_unit": unit,
        "country": "US",
        "impressions": 3,
        "revenue_micros": 1_000_000,
        "app": APP if network == "applovin" else "",
    } | of


def _report(networks: httpx.Client, *lines: dict[str, Any]) -> None:
    assert networks.put("/_reports", json={"lines": lines}).status_code == 204


def _versions() -> list[tuple[str, int, int]]:
    found = ReportedDay.objects.order_by("network", "day", "version")
    return list(found.values_list("network", "version", "revenue_micros"))


def test_days_are_fetched_once_an_hour_and_restated_ones_again(
    networks: httpx.Client, now: datetime
) -> None:
    yesterday = (now - DAY).date()
    lines = [_line("admob", yesterday), _line("applovin", yesterday)]
    _report(networks, *lines, _line("admob", now.date()))

    assert pulling.pull_due(now=now) == 2
    assert pulling.pull_due(now=now + HOUR / 2) == 0
    assert pulling.pull_due(now=now + HOUR) == 0
    assert RevenueReport.objects.count() == 2
    _report(networks, lines[0] | {"revenue_micros": 1_000_001}, lines[1])
    assert pulling.pull_due(now=now + 2 * HOUR) == 1

    assert _versions() == [
        ("admob", 1, 1_000_000),
        ("admob", 2, 1_000_001),
        ("applovin", 1, 1_000_000),
    ]
    (line,) = ReportLine.objects.filter(reported_day__network="applovin")
    assert (line.impression_count, line.country, line.ad_unit_id) == (3, "US", "9ad0816ac071552a")
    assert set(ReportPull.objects.values_list("failure", flat=True)) == {""}


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ({"kind": "status", "status": 503}, "answered 503"),
        ({"kind": "reset"}, "failed"),
        ({"kind": "html"}, "what was answered is no JSON"),
    ],
)
def test_what_fails_says_why_without_a_key_and_is_tried_again(
    networks: httpx.Client, settings: Settings, now: datetime, fault: dict[str, Any], failure: str
) -> None:
    _report(networks, _line("admob", (now - DAY).date()), _line("applovin", (now - DAY).date()))
    rule = {"times": 100, "matching": "/(admob|applovin)/"} | fault
    assert networks.put("/_faults", json={"rules": [rule]}).status_code in {200, 204}

    assert pulling.pull_due(now=now) == 0

    for pull in ReportPull.objects.all():
        assert pull.failure
        assert failure in pull.failure
        for secret in (settings.APPLOVIN_REPORT_KEY, settings.ADMOB_REFRESH_TOKEN):
            assert secret not in pull.failure
    assert not RevenueReport.objects.exists()
    networks.put("/_faults", json={})
    assert pulling.pull_due(now=now + HOUR) == 2


def test_an_app_whose_reports_fail_keeps_no_others_from_being_taken(
    networks: httpx.Client, settings: Settings, now: datetime
) -> None:
    """Nor does one whose name is the other's but for its end."""
    yesterday, long = (now - DAY).date(), f"ios:{'a' * 60}"
    settings.APPLOVIN_REPORT_APPS = ["android:broken", f"{long}.one", f"{long}.two"]
    _report(
        networks, *(_line("applovin", yesterday, app=app) for app in settings.APPLOVIN_REPORT_APPS)
    )
    rule = {"times": 100, "matching": "broken", "kind": "status", "status": 503}
    networks.put("/_faults", json={"rules": [rule]})

    pulling.pull_due(now=now)

    assert ReportPull.objects.get(network="applovin").failure.endswith("answered 503")
    assert _versions() == [("applovin", 1, 1_000_000)] * 2
    assert ReportedDay.objects.values("scope").distinct().count() == 2


def test_a_wrong_key_fetches_nothing(
    networks: httpx.Client, settings: Settings, now: datetime
) -> None:
    settings.APPLOVIN_REPORT_KEY, settings.ADMOB_REFRESH_TOKEN = "theirs", "1//theirs"

    assert pulling.pull_due(now=now) == 0

    found = dict(ReportPull.objects.values_list("network", "failure"))
    assert found == {
        "admob": "/admob/token answered 400",
        "applovin": "/applovin/max/userAdRevenueReport answered 401",
    }


def test_nothing_is_asked_of_networks_that_are_not_set_up(
    settings: Settings, db: None, now: datetime
) -> None:
    settings.ADMOB_PUBLISHER_ID, settings.APPLOVIN_REPORT_APPS = "", []

    assert pulling.pull_due(now=now) == 0
    assert not ReportPull.objects.exists()
