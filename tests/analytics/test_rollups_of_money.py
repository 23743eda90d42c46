"""Rollups of money are the ledger's to the last micro, on every local day, whatever happens to it."""

import json
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import product
from random import Random
from uuid import uuid4
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from analytics.models import FillState, RollupDifference, RollupHour, RollupValue
from analytics.reports.refusals import ReportImpossible
from analytics.rollups import checking, dashboard, filling, hours, metrics, slices
from analytics.rollups.dashboard import DashboardQuery
from analytics.rollups.metrics import METRICS, Basis, Metric
from catalog.models import Series
from config import clock
from payments.ledger.days import closing, ladder
from tests.analytics import dying, rolled
from tests.analytics.troubled import Trouble
from tests.factories.ads import PlacementFactory
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator, signed_in
from tests.factories.payments import as_owner, buy_pass, default_plan, fund
from tests.factories.viewers import DeviceFactory, clock_headers, pipeline_headers
from tests.payments.ledger.days.story import money_back, spend
from tests.proof import Proof
from viewers.models import Device, Scope

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ENVIRONMENTS = ("production", "sandbox")
ZONES = ("Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
#: The column of a day of the ledger that each metric adds up to.
RUNGS = {
    "gross_billings": "gross_micros",
    "billed_tax": "tax_micros",
    "store_fees": "fee_micros",
    "refunds": "refunds_micros",
    "recognised_revenue": "recognised_micros",
}


def _ledger_alone(now: datetime) -> None:
    hours.extend(now=now)
    while filling.fill_ledger(now=now):
        pass


@pytest.fixture
def series(db: None) -> Series:
    """A title whose first episodes are free."""
    default_plan()
    made: Series = SeriesFactory(state="published")
    episodes_of(made, range(1, 13))
    return made


@pytest.fixture
def bought(device: Device, series: Series, now: datetime) -> None:
    """A pack, and one unlock two hours later."""
    fund(device.viewer_id, now=now, paid=1000, bonus=50, price_micros=9_990_000)
    spend(device.viewer_id, series, 9, now + 2 * HOUR)


def test_a_days_sums_are_the_ledgers_after_whatever_happened(
    series: Series, now: datetime, settings: Settings, proof: Proof
) -> None:
    settings.REPORTING_ZONE = ZoneInfo(ZONES[proof.seed % len(ZONES)])
    broken, rounds = 0, proof.rounds(full=1200)
    trouble = _trouble(series, now, seed=proof.seed)
    for viewer_id, environment in trouble.viewers:
        trouble._buy(viewer_id, environment, now)
    once = list(trouble.deeds)
    trouble.dice.shuffle(once)
    for number in range(max(rounds, len(once))):
        trouble.act(once[number] if number < len(once) else None)
    until = now + 8 * DAY
    _ledger_alone(until)
    broken += checking.check(now=until).difference_count
    first = now.astimezone(settings.REPORTING_ZONE).date()
    for day, environment in product(range(8), ENVIRONMENTS):
        broken += _rolled(first + day * DAY, environment) != _posted(first + day * DAY, environment)

    assert RollupValue.objects.filter(environment="sandbox").exists()
    assert broken == 0
    proof.record("P18", "operations after which rollups are the ledger, by day", violations=broken)


def _trouble(series: Series, now: datetime, *, seed: int) -> Trouble:
    return Trouble(
        dice=Random(seed),  # noqa: S311
        series=series,
        start=now,
        operator_id=operator(role="owner").id,
        placement=PlacementFactory(daily_cap=100, cooldown_seconds=0),
        viewers=[(DeviceFactory().viewer_id, each) for each in ENVIRONMENTS for _ in "12"],
    )


def test_a_flag_that_is_raised_later_moves_a_titles_figures_and_rings_no_alarm(
    series: Series, now: datetime
) -> None:
    """Everything happens to one viewer on one day, so that every kind of row is there."""
    trouble = _trouble(series, now, seed=7)
    viewer_id, until = trouble.viewers[0][0], now + 8 * DAY
    coins, two, minutes = trouble.more
    by_number = {one.number: one.id for one in series.episodes.all()}
    for minute, (placement, number) in enumerate(
        [(coins, None), (two, 9), (two, 9), (minutes, 11)], start=1
    ):
        of = None if number is None else by_number[number]
        assert trouble.see(placement, of, viewer_id, "production", now + minute * MINUTE)
    assert spend(viewer_id, series, 12, now + HOUR, playback_session_id=uuid4())
    trouble._report(viewer_id, "production", now)
    _ledger_alone(until)
    assert checking.check(now=until).difference_count == 0
    of_none = RollupValue.objects.filter(hour__metric="ad_revenue", dimensions={"series_id": ""})
    assert {7_001, -7_001} <= set(of_none.values_list("value", flat=True))
    assert _of_title("ad_unlocks", series) == 3
    assert _of_title("coin_revenue", series) == 7_001

    trouble._flag(viewer_id, "production", now)
    assert checking.check(now=until + HOUR).difference_count > 0
    _ledger_alone(until + 2 * HOUR)
    assert _of_title("coin_revenue", series) == 0
    # What differs now is what was right before: nothing that filling did not help.
    trouble._lift(viewer_id, "production", now)
    assert checking.check(now=until + 3 * HOUR).difference_count > 0
    assert checking.open_differences() == 0

    _ledger_alone(until + 4 * HOUR)
    assert checking.check(now=until + 5 * HOUR).difference_count == 0
    assert _of_title("coin_revenue", series) == 7_001


def _of_title(metric: str, series: Series) -> int:
    values = RollupValue.objects.filter(
        hour__metric=metric, dimensions={"series_id": str(series.id)}
    )
    return sum(values.values_list("value", flat=True))


def _posted(day: date, environment: str) -> Counter[str]:
    """What the books of a day say, on the way on which they are closed."""
    found = ladder.read(
        environment=environment,
        start=closing.day_starts_at(day),
        end=closing.day_starts_at(day + DAY),
    )
    return Counter({name: getattr(found, rung) for name, rung in RUNGS.items()})


def _rolled(day: date, environment: str) -> Counter[str]:
    """What the slices of a day come to in an environment, added up here."""
    found = Counter(dict.fromkeys(RUNGS, 0))
    values = RollupValue.objects.filter(environment=environment, hour__metric__in=RUNGS)
    for value in values.select_related("hour"):
        if closing.local_date(value.starts_at) == day:
            found[value.hour.metric] += value.value
    return found


@pytest.mark.usefixtures("bought")
def test_an_hour_that_lasts_is_filled_so_far_and_for_good_once_it_is_over(now: datetime) -> None:
    _ledger_alone(now + MINUTE)
    during = RollupHour.objects.get(metric="gross_billings", hour=now)
    _ledger_alone(now + HOUR + 2 * MINUTE)
    after = RollupHour.objects.get(metric="gross_billings", hour=now)

    assert (during.state, during.watermark) == (FillState.WAITING, now - MINUTE)
    assert (after.state, after.due_at) == (FillState.FILLED, None)
    assert RollupValue.objects.get(hour=after).value == 9_990_000


def test_money_that_is_posted_for_a_past_hour_reopens_it(device: Device) -> None:
    """Ids are drawn by real time, and the moment of a posting is that of a clock that may be simulated."""
    real = clock.read()
    past = slices.hour_of(real) - 3 * HOUR
    fund(device.viewer_id, now=past, price_micros=1_000_000)
    _ledger_alone(real)
    assert hours.take_postings(now=real) == 1
    _ledger_alone(real + MINUTE)
    filled = RollupHour.objects.get(metric="gross_billings", hour=past)

    fund(device.viewer_id, now=past + MINUTE, price_micros=500_000)
    hours.take_postings(now=real + MINUTE)
    reopened = RollupHour.objects.get(metric="gross_billings", hour=past)
    _ledger_alone(real + 3 * MINUTE)

    assert (filled.state, reopened.state) == (FillState.FILLED, FillState.REOPENED)
    assert RollupValue.objects.get(hour=reopened).value == 1_500_000
    assert checking.check(now=real + 2 * DAY).difference_count == 0


@pytest.mark.parametrize("back_after", [DAY, 9 * DAY], ids=["while it runs", "when it is over"])
def test_what_goes_back_of_a_pass_is_on_the_day_that_it_did(
    device: Device, now: datetime, back_after: timedelta
) -> None:
    bought = buy_pass(device.viewer_id, now=now, days=7, price_micros=7_000_000)
    money_back(bought, now + back_after, amount_micros=2_000_000)
    until = now + 12 * DAY
    _ledger_alone(until)
    day = closing.local_date(now + back_after)

    assert checking.check(now=until).difference_count == 0
    assert _rolled(day, "production") == _posted(day, "production")
    assert _rolled(day, "production")["refunds"] > 0


@pytest.mark.usefixtures("bought")
def test_what_differs_from_the_ledger_is_filled_anew_and_an_alarm_if_it_stays(
    now: datetime,
) -> None:
    later = now + 3 * DAY
    _ledger_alone(later)
    assert checking.check(now=later).difference_count == 0
    RollupValue.objects.filter(hour__metric="gross_billings").update(value=1)

    first = checking.check(now=later + HOUR)
    assert (first.difference_count, checking.open_differences()) == (1, 0)
    RollupHour.objects.update(due_at=None, state=FillState.FILLED)  # as if filling helped nothing
    checking.check(now=later + 2 * HOUR)
    client = signed_in(operator("root", is_superuser=True))
    page = client.get("/admin/", headers=clock_headers(later)).content.decode()
    assert "1 figure of money on dashboards is not what the ledger says" in page

    _ledger_alone(later + 3 * HOUR)
    RollupHour.objects.filter(metric="gross_billings").update(due_at=later)
    _ledger_alone(later + 3 * HOUR)
    assert checking.check(now=later + 3 * HOUR).difference_count == 0
    row = RollupDifference.objects.get()
    assert (row.rollup_value, row.ledger_value) == (1, 9_990_000)
    assert (row.is_confirmed, row.resolved_at) == (True, later + 3 * HOUR)
    assert checking.open_differences() == 0


def test_another_definition_fills_the_history_anew(
    bought: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = now + 9 * HOUR
    _ledger_alone(later)
    assert hours.renew(now=later + HOUR) == 0
    RollupValue.objects.update(value=7)

    name = "gross_billings"
    old = METRICS[name]
    newer = Metric(name, old.sentence, old.unit, old.query, version=old.version + 1)
    monkeypatch.setitem(METRICS, name, newer)

    assert hours.renew(now=later + HOUR) == 8
    _ledger_alone(later + HOUR)

    assert set(
        RollupHour.objects.filter(metric=name, state="filled").values_list("definition", flat=True)
    ) == {"2"}
    held = {key[0]: value for key, value in rolled.held().items()}
    assert (held[name], held["coin_unlocks"]) == (9_990_000, 7)
    assert hours.renew(now=later + HOUR) == 0


@pytest.mark.usefixtures("bought")
def test_whoever_dies_between_two_statements_leaves_hours_that_are_filled_again(
    now: datetime, proof: Proof
) -> None:
    """A walk over every statement of the sweep and of filling, each time from nothing, and once from full."""
    later, lapsed = now + 3 * HOUR, now + 3 * HOUR + 10 * MINUTE
    _ledger_alone(later)
    undisturbed = rolled.held()
    assert undisturbed
    with dying.at_statement(0) as begun:
        _again(now, later)
    broken, steps = 0, range(1, begun[0] + 1)
    step = 1 if proof.is_full else 8
    for number in list(steps)[proof.seed % step :: step]:
        _reset()
        with pytest.raises(KeyboardInterrupt), dying.at_statement(number):
            _again(now, later)
        left = rolled.held()
        broken += any(undisturbed[key] != value for key, value in left.items())
        _ledger_alone(lapsed)
        broken += rolled.held() != undisturbed
    proof.count = len(steps)
    proof.record("P4", "statements of a filler at which it dies", violations=broken)
    assert broken == 0


def _reset() -> None:
    with as_owner() as cursor:
        cursor.execute("DELETE FROM analytics_rollupvalue; DELETE FROM analytics_rolluphour")


def _again(now: datetime, later: datetime) -> None:
    _ledger_alone(later)
    ledger = [q for q in metrics.QUERIES if q.basis is Basis.LEDGER]
    for query in ledger:
        names = [metric.name for metric in metrics.of_query(query)]
        hours.mark(names, {now}, now=later + 2 * MINUTE)
    _ledger_alone(later + 3 * MINUTE)


def test_days_that_are_kept_no_longer_go_and_do_not_come_back(
    bought: None, now: datetime, settings: Settings
) -> None:
    settings.ROLLUP_KEPT_DAYS, settings.REPORTING_ZONE = 2, ZoneInfo("Asia/Kathmandu")
    _ledger_alone(now + 3 * HOUR)
    assert hours.prune(now=now + 2 * DAY) == 0
    later = now + 4 * DAY
    before = RollupHour.objects.filter(metric="gross_billings").count()

    assert hours.prune(now=later) == before * len(METRICS)
    hours.mark(["gross_billings"], {now}, now=later)
    assert list(rolled.held()) == []
    # No metric has an hour now, and the history would begin with the first posting.
    hours.extend(now=later)
    first = RollupHour.objects.filter(metric="gross_billings").earliest("hour")
    assert first.hour == slices.hour_of(hours.kept_from(now=later)) > now
    with pytest.raises(ReportImpossible, match="2 days"):
        dashboard.read(DashboardQuery(since=now.date()), zone=settings.REPORTING_ZONE, now=later)


def test_two_fillers_share_the_hours_and_the_slow_one_changes_nothing(
    bought: None, now: datetime
) -> None:
    later = now + 3 * HOUR
    hours.extend(now=later)
    billings = METRICS["gross_billings"].query
    slow = hours.claim(billings, now=later)
    assert slow is not None
    assert hours.claim(billings, now=later) is None
    counted = filling.count_ledger(slow, now=later)

    after = later + 10 * MINUTE
    quick = hours.claim(billings, now=after)
    assert quick is not None
    filling.record(filling.count_ledger(quick, now=after), now=after)
    held = rolled.held()
    with pytest.raises(filling.LeaseLost):
        filling.record(counted, now=after)

    assert held == rolled.held()
    assert held


def test_what_changes_while_an_hour_is_counted_leaves_it_due(
    bought: None, device: Device, now: datetime
) -> None:
    later = now + 3 * HOUR
    hours.extend(now=later)
    query = METRICS["gross_billings"].query
    claim = hours.claim(query, now=later)
    assert claim is not None
    counted = filling.count_ledger(claim, now=later)
    fund(device.viewer_id, now=now + MINUTE, price_micros=1_000_000)
    hours.mark(["gross_billings"], {now}, now=later)

    filling.record(counted, now=later)
    hour = RollupHour.objects.get(metric="gross_billings", hour=now)
    assert (hour.state, hour.due_at) == (FillState.REOPENED, later + MINUTE)

    _ledger_alone(later + MINUTE)
    assert RollupValue.objects.get(hour=hour).value == 10_990_000


@pytest.mark.usefixtures("bought")
def test_dashboards_show_money_by_day_and_hour_with_how_far_it_is_filled(
    now: datetime, api: Client, settings: Settings
) -> None:
    settings.REPORTING_ZONE = ZoneInfo("Asia/Kolkata")
    _ledger_alone(now + 3 * HOUR)
    address = "/v1/analytics/dashboard?metrics=gross_billings,coin_unlocks"

    headers = pipeline_headers(now=now + 3 * HOUR, scopes=[Scope.ANALYTICS_READ])
    by_day = json.loads(api.get(f"{address}&since=2026-03-14", headers=headers).content)
    by_hour = json.loads(api.get(f"{address}&by=hour&since=2026-03-14", headers=headers).content)
    split = api.get(
        f"{address.replace(',coin_unlocks', '')}&split=source&format=csv", headers=headers
    )
    filed = api.get(f"{address}&format=parquet&since=2026-03-14", headers=headers)
    refused = api.get(f"{address}&split=source", headers=headers)

    day = {row["metric"]: row for row in by_day["rows"]}
    assert day["gross_billings"]["starts_at"] == "2026-03-14T00:00:00+05:30"
    assert (day["gross_billings"]["value"], day["coin_unlocks"]["value"]) == (9_990_000, 1)
    assert not day["gross_billings"]["is_complete"]
    filled = {metric["name"]: metric for metric in by_day["metrics"]}["gross_billings"]
    assert (filled["state"], filled["waiting_hours"]) == ("waiting", 2)
    assert filled["as_of"] == by_day["watermark"] == "2026-03-14T14:58:00Z"
    assert (by_day["engine"], by_day["population"]) == ("PostgreSQL", [])
    of_lake = api.get(address.replace("gross_billings", "starts"), headers=headers).json()
    assert of_lake["watermark"] == "2026-03-14T12:00:00Z", "the earlier of both"
    assert of_lake["population"] == [
        "0 flagged viewers and 0 flagged playback sessions left out of metrics from the lake"
    ]
    hourly = {
        row["starts_at"]: row["value"] for row in by_hour["rows"] if row["metric"] == "coin_unlocks"
    }
    assert hourly["2026-03-14T19:00:00+05:30"] == 1
    assert hourly["2026-03-14T18:00:00+05:30"] == 0
    assert hourly["2026-03-14T21:00:00+05:30"] is None
    assert b"2026-03-14T00:00:00+05:30,gross_billings,coins,9990000,false" in split.content
    about = pq.read_schema(pa.BufferReader(filed.content)).metadata
    assert about[b"definition"].startswith(b"gross_billings (micros): What viewers paid")
    assert (about[b"reporting_zone"], about[b"engine"]) == (b"Asia/Kolkata", b"PostgreSQL")
    assert about[b"watermark"] == b"2026-03-14T14:58:00+00:00"
    assert b"environment production" in about[b"filters"]
    assert (refused.status_code, refused.json()["code"]) == (422, "report_impossible")
