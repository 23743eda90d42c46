"""Estimates of ads give way to impressions, and these to networks' reports, to the micro."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID, uuid4

import pytest
from django.db import Error, connection, transaction
from pytest_django.fixtures import Settings

from ads import parked
from ads.models import (
    AdSession,
    Callback,
    EarningCorrection,
    Impression,
    Placement,
    ReportedDay,
    RevenueDay,
    Reward,
    TrueUp,
)
from ads.revenue import days, figures, settling
from catalog.models import Series
from payments.ledger.days import journal
from payments.models import ExchangeRate
from tests.factories.ads import (
    PlacementFactory,
    ad_session,
    bring_report,
    earned,
    report_file,
    tell,
    told,
    watch,
)
from tests.factories.operators import operator
from tests.factories.payments import as_owner
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import episode
from tests.payments.ledger.days.story import of_day
from tests.proof import Proof
from viewers.models import Device

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ESTIMATE = 12_000

pytestmark = pytest.mark.usefixtures("_the_ledger_holds")


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


def _settle(now: datetime) -> int:
    return settling.settle_due(now=now)


def test_a_measured_view_is_taken_for_what_its_impression_earned(
    session: AdSession, device: Device, now: datetime
) -> None:
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    watch(session, now=now + MINUTE)
    _settle(now + HOUR)

    assert earned() == 30_000
    assert earned(viewer_id=device.viewer_id, series_id=session.series_id) == 30_000
    assert Reward.objects.get().revenue_micros == ESTIMATE
    (correction,) = EarningCorrection.objects.all()
    assert (correction.basis, correction.difference_micros) == ("measured", 30_000 - ESTIMATE)
    assert _settle(now + 2 * HOUR) == _settle(now + 3 * HOUR) == 0


def test_a_view_whose_session_is_open_waits_and_one_that_paid_nothing_counts_by_itself(
    session: AdSession, device: Device, now: datetime
) -> None:
    """The impression is told of before the reward comes, which would count it twice."""
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    assert _settle(now + MINUTE) == 0
    assert RevenueDay.objects.get().waits_until == session.expires_at + 10 * MINUTE

    over = session.expires_at + 10 * MINUTE
    assert _settle(over) == 1

    assert earned(viewer_id=device.viewer_id) == 30_000
    assert RevenueDay.objects.get().waits_until is None


def test_an_ad_that_is_rewarded_late_has_earned_once(
    session: AdSession, device: Device, now: datetime
) -> None:
    """It counted by itself when its session was over, and counts for its reward from then on."""
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    over = session.expires_at + 10 * MINUTE
    _settle(over)
    assert (earned(), earned(of_view=True)) == (30_000, 30_000)

    assert watch(session, now=over + HOUR).verdict == "late"
    _settle(over + 2 * HOUR)

    assert earned() == earned(series_id=session.series_id, viewer_id=device.viewer_id) == 30_000
    assert _by_reward() == {Reward.objects.get().id: 30_000}
    bring_report((now.date(), session.ad_unit_id, "US", "0.05"), now=now + DAY)
    _settle(now + DAY)
    assert earned() == 50_000
    assert _settle(now + 2 * DAY) == 0


def test_an_ad_that_an_operator_pays_weeks_later_has_earned_once(
    session: AdSession, device: Device, now: datetime
) -> None:
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    watch(session, now=now, user_id=uuid4().hex)
    _settle(now + 2 * DAY)
    assert earned() == 30_000
    later = now + 20 * DAY
    callback = Callback.objects.get()
    who = operator(role="support").id

    parked.settle(callback.id, session_id=None, reason="Shown.", operator_id=who, now=later)
    _settle(later + HOUR)

    # Its impression is too far back to be the reward's: that keeps the placement's estimate.
    assert earned() == ESTIMATE


def test_a_day_that_cannot_be_settled_keeps_no_other_from_it(
    session: AdSession, device: Device, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    watch(session, now=now)
    bring_report((now.date() - DAY, "poison", "US", "1"), now=now + HOUR)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ads_trueup ADD CHECK (ad_unit_id <> 'poison')")

    assert _settle(now + HOUR) == 1

    assert earned() == 30_000
    assert "was not settled" in caplog.text


def test_a_reported_day_earns_what_its_report_says(
    placement: Placement, series: Series, now: datetime
) -> None:
    other = PlacementFactory(code="other", title="Other")
    seen = [(placement, 20_000), (placement, 10_001), (other, 0)]
    for number, (place, amount) in enumerate(seen):
        viewer = DeviceFactory().viewer_id
        shown = ad_session(place, viewer_id=viewer, episode_id=episode(series, 9 + number), now=now)
        watch(shown, now=now + MINUTE)
        if amount:
            tell(told(shown, at=now, revenue_micros=amount), viewer_id=viewer, now=now)
    today = now.date()
    bring_report(
        (today, placement.ad_unit_id, "US", "0.045"),
        (today, "of-no-view", "DE", "0.5"),
        now=now + DAY,
    )

    _settle(now + DAY)

    assert earned() == 545_000
    assert earned(of_view=False) == 500_000
    assert sorted(_by_reward().values()) == [0, 15_001, 29_999]
    assert sorted(Reward.objects.values_list("revenue_micros", flat=True)) == [ESTIMATE] * 3
    factors = {(cell.ad_unit_id, cell.country): cell.factor for cell in TrueUp.objects.all()}
    unit = placement.ad_unit_id.rpartition("/")[2]
    # The report names two ad units: all that was estimated of a third came to nothing.
    assert factors == {
        (unit, "US"): pytest.approx(Decimal(45_000) / 30_001, abs=Decimal("1e-10")),
        ("of-no-view", ""): None,
        ("", ""): 0,
    }
    rows = {row.title: row for row in figures.of_day(RevenueDay.objects.get())}
    assert (rows["Watch an ad"].estimated_micros, rows["Watch an ad"].earned_micros) == (
        30_001,
        45_000,
    )
    assert (rows["Other"].estimated_micros, rows["Other"].earned_micros) == (ESTIMATE, 0)
    assert (rows[""].remainder_micros, rows[""].reported_micros) == (500_000, 500_000)


def test_rewards_of_which_nothing_was_estimated_share_alike(series: Series, now: datetime) -> None:
    placement = PlacementFactory(estimated_net_micros=0)
    for _ in range(3):
        viewer = DeviceFactory().viewer_id
        shown = ad_session(
            placement, viewer_id=viewer, episode_id=episode(series, 9), now=now - MINUTE
        )
        watch(shown, now=now)
    tell(told(at=now, ad_unit_id=placement.ad_unit_id, revenue_micros=0), viewer_id=viewer, now=now)
    bring_report((now.date(), placement.ad_unit_id, "US", "0.000011"), now=now + DAY)

    _settle(now + DAY)

    assert list(_by_reward().values()) == [4] * 3
    assert (earned(of_view=False), earned()) == (-1, 11)


def _by_reward() -> dict[UUID, int]:
    """What each reward has earned, by its row and its corrections."""
    return {
        reward.id: reward.revenue_micros
        + sum(correction.difference_micros for correction in reward.corrections.all())
        for reward in Reward.objects.prefetch_related("corrections")
    }


def test_a_restated_day_counts_by_its_latest_version_and_closed_days_stay(
    session: AdSession, now: datetime
) -> None:
    watch(session, now=now)
    lines = [
        ((now.date(), session.ad_unit_id, "US", amount),) for amount in ("0.02", "0.05", "0.02")
    ]

    for number, line in enumerate(lines, 1):
        at = now + number * DAY
        assert bring_report(*line, now=at).new_days == [now.date()]
        assert bring_report(*line, now=at).same_days == [now.date()]
        _settle(at)
        _settle(at + HOUR)
        assert earned() == [20_000, 50_000, 20_000][number - 1]

    assert [cell.number for cell in TrueUp.objects.order_by("number")] == [1, 2, 3]
    assert ReportedDay.objects.order_by("-version").values_list("version", flat=True)[0] == 3
    assert [of_day(now + n * DAY).ads_micros for n in range(4)] == [12_000, 8_000, 30_000, -30_000]
    (debit, credit) = journal.of_day((now + DAY).date())
    assert (debit.account, debit.debit_micros, credit.credit_micros) == (
        "receivable_ads",
        8_000,
        8_000,
    )
    assert "reports" in debit.words


def test_what_comes_after_the_report_is_weighed_anew(
    session: AdSession, device: Device, now: datetime
) -> None:
    watch(session, now=now)
    bring_report((now.date(), session.ad_unit_id, "", "0.02"), now=now + DAY)
    _settle(now + DAY)
    banner = told(at=now, ad_unit_id=session.ad_unit_id, revenue_micros=36_000)
    tell(
        told(session, at=now, revenue_micros=4_000),
        banner,
        viewer_id=device.viewer_id,
        now=now + DAY,
    )

    assert _settle(now + DAY + HOUR) == 4

    assert earned() == 20_000
    assert set(_by_reward().values()) == {2_000}
    assert earned(series_id=session.series_id, viewer_id=device.viewer_id) == 2_000


def test_a_sandbox_is_measured_and_never_reported(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    whose = {"viewer_id": device.viewer_id, "environment": "sandbox", "now": now}
    seen = ad_session(placement, episode_id=episode(series, 9), **whose)
    watch(seen, now=now)
    tell(told(seen, at=now), **whose)
    bring_report((now.date(), placement.ad_unit_id, "US", "9"), now=now + DAY)

    _settle(now + DAY)

    assert earned(environment="sandbox") == 30_000
    assert earned(environment="production") == earned(of_view=False) == 9_000_000


def test_a_day_is_its_networks_and_a_reward_after_midnight_is_of_the_next(
    placement: Placement, series: Series, device: Device, settings: Settings, now: datetime
) -> None:
    settings.AD_REPORT_ZONES = ["fake:America/Los_Angeles"]
    first, last = days.bounds("fake", now.date())
    assert (first, last) == (now.replace(hour=7), now.replace(hour=7) + DAY)
    seen = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=last - MINUTE
    )
    tell(told(seen, at=last - MINUTE), viewer_id=device.viewer_id, now=last)
    watch(seen, now=last + MINUTE)
    _settle(last + HOUR)
    _settle(last + HOUR)

    assert (earned(), EarningCorrection.objects.get().revenue_day.day) == (30_000, now.date() + DAY)


def test_the_networks_own_word_outweighs_the_apps(
    session: AdSession, device: Device, now: datetime
) -> None:
    tell(
        told(session, at=now),
        told(at=now, ad_unit_id=session.ad_unit_id),
        told(at=now, revenue_micros=5),
        viewer_id=device.viewer_id,
        now=now,
    )
    watch(session, now=now)
    row = Impression.objects.get(session=session)
    row.pk, row.source, row.impression_id, row.revenue_micros = uuid4(), "postback", "e" * 40, 700
    row.save(force_insert=True)

    _settle(now + HOUR)

    assert earned() == 705


def test_a_reward_keeps_its_estimate_where_the_networks_word_for_its_ad_was_lost(
    placement: Placement, session: AdSession, device: Device, series: Series, now: datetime
) -> None:
    """The server has told of the viewer's other ad, so that the app's word for this one counts for nothing."""
    other = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 10), now=now
    )
    tell(told(session, at=now), told(other, at=now), viewer_id=device.viewer_id, now=now)
    for each in (session, other):
        watch(each, now=now)
    row = Impression.objects.get(session=other)
    row.pk, row.source, row.impression_id, row.revenue_micros = uuid4(), "postback", "e" * 40, 700
    row.save(force_insert=True)

    _settle(now + HOUR)

    by_session = dict(Reward.objects.values_list("session_id", "id"))
    assert _by_reward() == {by_session[session.id]: ESTIMATE, by_session[other.id]: 700}
    assert earned() == ESTIMATE + 700


def test_an_impression_that_the_networks_server_tells_of_too_is_one(
    device: Device, now: datetime
) -> None:
    """Also where the app's word has counted already."""
    tell(told(at=now), told(at=now, ad_unit_id="b"), viewer_id=device.viewer_id, now=now)
    _settle(now + HOUR)
    row = Impression.objects.get(ad_unit_id="b")
    row.pk, row.source, row.impression_id, row.revenue_micros = uuid4(), "postback", "e" * 40, 700
    row.received_at = now + HOUR
    row.save(force_insert=True)

    _settle(now + 2 * HOUR)

    assert earned() == 30_700
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(impressions) FROM ads_earning")
        assert cursor.fetchone() == (2,)


def test_a_factor_may_be_as_large_as_amounts_are(
    session: AdSession, device: Device, now: datetime
) -> None:
    tell(told(session, at=now, revenue_micros=1), viewer_id=device.viewer_id, now=now)
    watch(session, now=now)
    bring_report((now.date(), session.ad_unit_id, "US", "900000000"), now=now + DAY)

    _settle(now + DAY)

    assert earned() == 900_000_000 * 10**6


def test_amounts_are_taken_at_the_rate_of_their_day(
    session: AdSession, device: Device, now: datetime
) -> None:
    watch(session, now=now)
    euros = told(session, at=now, currency="EUR", revenue_micros=20_000)
    assert tell(euros, viewer_id=device.viewer_id, now=now) == ["no_rate"]
    content = report_file((now.date(), session.ad_unit_id, "US", "0.02")).replace(b"USD", b"EUR")
    refused = bring_report(content=content, now=now + DAY)
    assert "No rate of EUR" in refused.refusals[0].reason
    for day, rate in ((now.date(), "1.25"), (now.date() + DAY, "2")):
        ExchangeRate.objects.create(
            currency="EUR", day=day, rate=Decimal(rate), source="ECB", created_at=now
        )

    assert tell(euros, viewer_id=device.viewer_id, now=now) == ["kept"]
    bring_report(content=content, now=now + DAY)
    _settle(now + DAY)

    kept = Impression.objects.get()
    assert (kept.told_micros, kept.revenue_micros, kept.exchange_source) == (
        20_000,
        25_000,
        f"ECB {now.date()}",
    )
    assert earned() == 25_000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ads_earningcorrection SET difference_micros = 0",
        "DELETE FROM ads_earningcorrection",
        "UPDATE ads_trueup SET reported_micros = 0",
        "INSERT INTO ads_trueup SELECT * FROM ads_trueup",
        "UPDATE ads_impression SET revenue_micros = 0",
        "DELETE FROM ads_reportline",
        "UPDATE ads_reportedday SET version = 7",
        "DELETE FROM ads_revenueday",
        "SELECT ads_expect_next_day('fake', 'production', '2026-03-14', now(), now())",
    ],
)
def test_the_application_changes_nothing_that_was_told_or_settled(statement: str) -> None:
    with pytest.raises(Error, match="permission denied"), transaction.atomic():
        connection.cursor().execute(statement)


def _expected(
    views: Sequence[tuple[str, str, int]], lines: Mapping[tuple[str, str], int]
) -> tuple[list[int], int]:
    """What each view comes to, and what is of none, by the definition of the factor."""
    estimates: Counter[tuple[str, str]] = Counter()
    for unit, country, micros in views:
        estimates[unit, country] += micros
    named = {unit for unit, _ in lines}
    alike = {cell for cell in lines if estimates[cell] > 0}
    for unit in named:
        apart = [cell for cell in estimates if cell[0] == unit and cell not in alike]
        reported = [cell for cell in lines if cell[0] == unit and cell not in alike]
        if any(estimates[cell] for cell in apart) and not sum(lines[cell] for cell in reported):
            alike -= {cell for cell in alike if cell[0] == unit}

    def pool(unit: str, country: str) -> tuple[str, str]:
        return (unit if unit in named else "", country if (unit, country) in alike else "")

    of, reported_of = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for unit, country, micros in views:
        of[pool(unit, country)] += micros
    for (unit, country), micros in lines.items():
        reported_of[pool(unit, country)] += micros
    found = []
    for unit, country, micros in views:
        whole, part = of[pool(unit, country)], reported_of[pool(unit, country)]
        found.append((2 * micros * part + whole) // (2 * whole) if whole else 0)
    return found, sum(lines.values()) - sum(found)


def test_every_share_is_the_estimate_times_the_factor(
    device: Device, now: datetime, proof: Proof
) -> None:
    chance = Random(proof.seed)  # noqa: S311
    units, countries = ["a", "b", "c"], ["US", "DE", "BR", ""]
    for number in range(proof.rounds(full=400)):
        at = now + (number + 1) * 3 * DAY
        views = [
            (
                chance.choice(units),
                chance.choice(countries),
                chance.choice([0, 1, chance.randrange(10**6)]),
            )
            for _ in range(chance.randrange(12))
        ]
        lines = {
            (chance.choice([*units, "d", ""]), chance.choice(countries)): chance.choice(
                [0, 1, chance.randrange(10**7)]
            )
            for _ in range(chance.randrange(1, 8))
        }
        names = [f"{number}-{place}" for place in range(len(views))]
        tell(
            *(
                told(
                    at=at,
                    impression_id=name,
                    ad_unit_id=unit,
                    country=country,
                    revenue_micros=micros,
                )
                for name, (unit, country, micros) in zip(names, views, strict=True)
            ),
            viewer_id=device.viewer_id,
            now=at,
        )
        written = [(at.date(), *cell, Decimal(micros) / 10**6) for cell, micros in lines.items()]
        bring_report(*written, now=at + DAY)

        _settle(at + DAY)

        shares, remainder = _expected(views, lines)
        corrections = EarningCorrection.objects.filter(revenue_day__day=at.date())
        found: Counter[str] = Counter(dict.fromkeys(names, 0))
        for row in corrections.select_related("impression"):
            found[row.impression.impression_id if row.impression else ""] += row.difference_micros
        assert [found[name] for name in names] == shares
        assert found[""] == remainder
        assert sum(found.values()) == sum(lines.values())
    proof.record("A1", "a reported day's shares in plain Python", violations=0)
