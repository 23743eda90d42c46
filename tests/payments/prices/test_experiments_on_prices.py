"""An arm changes what its viewers are shown, that is what they are charged, and who met it is kept."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import Series
from payments.access import paywall
from payments.desk import links, promotions
from payments.desk.price_versions import NewVariant, NewVersion, add_many
from payments.models import Unlock
from payments.prices import pricing
from payments.prices.terms import Adjustment, Terms
from payments.support import why
from tests.factories import experiments
from tests.factories.ads import PlacementFactory
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, unlock
from tests.payments.prices.test_prices_that_differ import link
from tests.payments.ways import agree, auto_unlock
from viewers.experiments import lifecycle
from viewers.experiments.definitions import definition
from viewers.models import Device, Environment, Experiment, Exposure, Varies, Viewer

DAY = timedelta(days=1)
HALF = Adjustment(scale_parts_per_million=500_000)


def device_in(experiment: Experiment, arm: str, **given: Any) -> Device:
    """A viewer whom chance puts into an arm."""
    read = definition(experiment.id)
    for device in iter(lambda: DeviceFactory(**given), None):
        found = read.arm_of(device.viewer_id, created_at=device.viewer.created_at)
        if found is not None and found.code == arm:
            return device
    raise AssertionError


def shown(api: Client, series: Series, device: Device, now: datetime) -> dict[str, Any]:
    response = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=now))
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def prices(api: Client, series: Series, device: Device, now: datetime) -> list[int]:
    return [one["price_coins"] for one in shown(api, series, device, now)["episodes"]]


def play(api: Client, series: Series, number: int, device: Device, now: datetime) -> int:
    address = f"/v1/episodes/{episode(series, number)}/play"
    return api.post(address, headers=viewer_headers(device, now=now)).status_code


def met(device: Device) -> list[tuple[str, str]]:
    rows = Exposure.objects.filter(viewer=device.viewer_id).order_by("id")
    return [(row.experiment.code, row.arm.code) for row in rows]


@pytest.fixture
def free_counts(series: Series, now: datetime) -> Experiment:
    return experiments.free_counts(now=now, code="free-count-2026")


@pytest.fixture
def devices(free_counts: Experiment) -> dict[str, Device]:
    """A viewer in each arm."""
    return {arm: device_in(free_counts, arm) for arm in ("control", "five", "ten")}


def test_each_arm_is_shown_and_charged_its_own(
    api: Client, series: Series, devices: dict[str, Device], now: datetime
) -> None:
    asked = {arm: prices(api, series, device, now) for arm, device in devices.items()}

    assert asked == {
        arm: [0] * free + [60] * (12 - free)
        for arm, free in (("control", 8), ("five", 5), ("ten", 10))
    }
    device = devices["five"]
    fund(device.viewer_id, now=now)
    quote = shown(api, series, device, now)["quote"]
    answer = unlock(api, episode(series, 6), viewer_headers(device, now=now), quote=quote)
    assert answer.json()["price_coins"] == 60
    assert Unlock.objects.get().arm == "free-count-2026:five"


def test_an_arm_is_met_where_the_arms_part_and_not_before(
    api: Client, series: Series, devices: dict[str, Device], now: datetime
) -> None:
    """The answer to episode 4 hands out 6 in some arms, so that is where they part."""
    for arm, device in devices.items():
        assert play(api, series, 3, device, now) == 200
        assert met(device) == []
        assert play(api, series, 4, device, now) == 200
        assert met(device) == [("free-count-2026", arm)]


@pytest.mark.parametrize("number", [6, 9, 10])
def test_the_episode_itself_is_where_the_arms_part_too(
    api: Client, series: Series, devices: dict[str, Device], now: datetime, number: int
) -> None:
    for arm, device in devices.items():
        play(api, series, number, device, now)
        assert met(device) == [("free-count-2026", arm)]


@pytest.mark.parametrize("number", [1, 11, 12])
def test_what_is_the_same_in_every_arm_exposes_nobody(
    api: Client, series: Series, devices: dict[str, Device], now: datetime, number: int
) -> None:
    for device in devices.values():
        play(api, series, number, device, now)

    assert Exposure.objects.count() == 0


def test_the_paywall_shows_every_price_and_so_exposes_in_every_arm(
    api: Client, series: Series, devices: dict[str, Device], now: datetime
) -> None:
    for device in devices.values():
        shown(api, series, device, now)
        shown(api, series, device, now + DAY)

    kept = {
        row.arm.code: (row.propensity_parts_per_million, row.exposed_at, row.environment)
        for row in Exposure.objects.all()
    }
    assert kept == {
        "control": (333_334, now, "production"),
        "five": (333_333, now, "production"),
        "ten": (333_333, now, "production"),
    }


def test_a_paywall_on_which_nothing_differs_exposes_nobody(
    api: Client, free_counts: Experiment, devices: dict[str, Device], now: datetime
) -> None:
    short, dear = SeriesFactory(state="published"), SeriesFactory(state="published")
    episodes_of(short, range(1, 6))
    episodes_of(dear, range(11, 14))
    for device in devices.values():
        shown(api, short, device, now)
        shown(api, dear, device, now)

    assert Exposure.objects.count() == 0


def test_what_a_viewer_owns_exposes_them_to_nothing(
    api: Client, series: Series, now: datetime
) -> None:
    device = DeviceFactory()
    fund(device.viewer_id, now=now)
    quote = shown(api, series, device, now)["quote"]
    for number in range(9, 13):
        unlock(api, episode(series, number), viewer_headers(device, now=now), quote=quote)
    experiments.running(asked={"other": HALF}, now=now)

    shown(api, series, device, now)
    play(api, series, 12, device, now)

    assert Exposure.objects.count() == 0


def test_asking_about_an_episode_that_is_owned_exposes_to_nothing(
    api: Client, series: Series, now: datetime
) -> None:
    """Neither by a new quote nor by charging without a tap nor by an ad; about the next one each does."""
    placement = PlacementFactory(code="paywall").code
    devices = [DeviceFactory() for _ in range(3)]
    quote_of = {}
    for device in devices:
        fund(device.viewer_id, now=now)
        headers = viewer_headers(device, now=now)
        quote_of[device] = shown(api, series, device, now)["quote"]
        unlock(api, episode(series, 9), headers, quote=quote_of[device])
        agree(api, series, headers, quote=quote_of[device], daily_cap_coins=600)
    experiments.running(asked={"other": HALF}, now=now)

    def ask(number: int) -> list[int]:
        """What each of the three answers about an episode."""
        quoted, charged, watched = (viewer_headers(device, now=now) for device in devices)
        answers = [
            unlock(api, episode(series, number), quoted, quote="made up"),
            auto_unlock(api, episode(series, number), charged),
            api.post(
                "/v1/ads/sessions",
                {"placement": placement, "episode_id": str(episode(series, number))},
                "application/json",
                headers=watched,
            ),
        ]
        return [answer.status_code for answer in answers]

    assert ask(9) == [409, 200, 409]
    assert Exposure.objects.count() == 0
    assert ask(10) == [409, 200, 201]
    assert {row.viewer_id for row in Exposure.objects.all()} == {
        device.viewer_id for device in devices
    }


def test_a_new_quote_exposes_too(
    api: Client, series: Series, devices: dict[str, Device], now: datetime
) -> None:
    device = devices["control"]
    headers = viewer_headers(device, now=now)
    assert unlock(api, episode(series, 12), headers, quote="made up").status_code == 409
    assert met(device) == []
    assert unlock(api, episode(series, 9), headers, quote="made up").status_code == 409
    assert met(device) == [("free-count-2026", "control")]


def test_who_has_met_an_arm_keeps_it_whatever_the_hash_says(
    api: Client, series: Series, free_counts: Experiment, devices: dict[str, Device], now: datetime
) -> None:
    device = devices["control"]
    Exposure.objects.create(
        viewer_id=device.viewer_id,
        environment="production",
        experiment=free_counts,
        arm=free_counts.arms.get(code="ten"),
        propensity_parts_per_million=333_333,
        exposed_at=now,
    )

    assert prices(api, series, device, now) == [0] * 10 + [60] * 2
    assert met(device) == [("free-count-2026", "ten")]


def test_nobody_else_takes_part(api: Client, series: Series, now: datetime) -> None:
    """Not the holdouts, not another slice, not the sandbox, not who was here before."""
    layer = experiments.layer(holdout=200_000, now=now)
    first = experiments.running(
        asked={"other": HALF}, now=now, layer=layer, slice_from=200_000, slice_to=500_000,
        new_viewers_only=True,
    )  # fmt: skip
    new = {"viewer__created_at": now}
    asked = {
        "inside": device_in(first, "other", **new),
        "old": device_in(first, "other", **new),
        "sandbox": device_in(first, "other", **new),
    }
    Viewer.objects.filter(id=asked["old"].viewer_id).update(created_at=now - DAY)
    Viewer.objects.filter(id=asked["sandbox"].viewer_id).update(environment=Environment.SANDBOX)
    asked["sandbox"].viewer.environment = Environment.SANDBOX
    outside = (
        device
        for device in iter(lambda: DeviceFactory(**new), None)
        if definition(first.id).arm_of(device.viewer_id, created_at=now) is None
    )
    asked["outside"] = next(outside)

    nine = {who: prices(api, series, device, now)[8] for who, device in asked.items()}

    assert nine == {"inside": 30, "old": 60, "sandbox": 60, "outside": 60}
    assert [row.viewer_id for row in Exposure.objects.all()] == [asked["inside"].viewer_id]


def test_it_runs_from_its_start_to_its_end_and_live_quotes_outlast_it(
    api: Client, series: Series, now: datetime
) -> None:
    drafted = experiments.draft(asked={"other": HALF}, now=now, starts_at=now + DAY)
    experiment = experiments.start(drafted, now=now)
    device = device_in(experiment, "other")
    fund(device.viewer_id, now=now)
    before = prices(api, series, device, now + DAY - timedelta(microseconds=1))[8]
    within = prices(api, series, device, now + DAY)[8]
    quote = shown(api, series, device, now + DAY)["quote"]
    lifecycle.end(experiment_id=experiment.id, operator_id=experiment.asked_by_id, now=now + DAY)

    assert (before, within, prices(api, series, device, now + DAY)[8]) == (60, 30, 60)
    headers = viewer_headers(device, now=now + DAY)
    answer = unlock(api, episode(series, 9), headers, quote=quote)
    assert (answer.json()["price_coins"], Unlock.objects.get().arm) == (
        30,
        f"{experiment.code}:other",
    )


def test_an_arm_comes_after_the_link_and_before_the_promotion(
    api: Client, series: Series, now: datetime
) -> None:
    add_many(
        [
            NewVersion(
                default_plan().id,
                Terms(8, 60),
                [NewVariant(["US"], [], Adjustment(price_coins=45))],
            )
        ],
        effective_from=now - DAY,
        now=now,
    )
    link(series, "summer", Adjustment(free_count=4, price_coins=50), now)
    experiment = experiments.running(asked={"other": Adjustment(price_coins=40)}, now=now)
    promotions.start(
        name="A tenth off", series_ids=[series.id], starts_at=now, ends_at=now + DAY,
        adjustment=Adjustment(scale_parts_per_million=900_000), now=now,
    )  # fmt: skip
    asked = {}
    for arm in ("control", "other"):
        device = device_in(experiment, arm)
        links.arrive(viewer_id=device.viewer_id, code="summer", now=now)
        asked[arm] = prices(api, series, device, now)

    assert asked == {"control": [0] * 4 + [45] * 8, "other": [0] * 4 + [36] * 8}


@pytest.mark.parametrize(
    ("promotion", "asked"),
    [(Adjustment(scale_parts_per_million=0), 0), (Adjustment(price_coins=20), 20)],
    ids=["free", "one price"],
)
def test_what_a_promotion_makes_the_same_in_every_arm_exposes_nobody(
    api: Client, series: Series, now: datetime, promotion: Adjustment, asked: int
) -> None:
    experiment = experiments.running(asked={"other": Adjustment(price_coins=40)}, now=now)
    promotions.start(
        name="Weekend", series_ids=[series.id], starts_at=now, ends_at=now + DAY,
        adjustment=promotion, now=now,
    )  # fmt: skip
    device = device_in(experiment, "other")
    assert prices(api, series, device, now) == [0] * 8 + [asked] * 4
    assert met(device) == []
    assert prices(api, series, device, now + DAY) == [0] * 8 + [40] * 4
    assert met(device) == [(experiment.code, "other")]


def test_experiments_of_several_layers_meet_in_one_price(
    api: Client, series: Series, now: datetime
) -> None:
    first = experiments.running(asked={"other": HALF}, now=now)
    second = experiments.running(
        asked={"other": Adjustment(free_count=9)}, now=now, varies=Varies.FREE_COUNT
    )
    device = device_in(first, "other")
    while definition(second.id).arm_of(device.viewer_id, created_at=now).code != "other":
        device = device_in(first, "other")

    assert prices(api, series, device, now) == [0] * 9 + [30] * 3
    price = pricing.price_for(viewer_id=device.viewer_id, series_id=series.id, at=now)
    assert price.arm == f"{first.code}:other,{second.code}:other"
    assert sorted(met(device)) == sorted([(first.code, "other"), (second.code, "other")])


def test_only_the_named_titles_are_in_it(api: Client, series: Series, now: datetime) -> None:
    other = SeriesFactory(state="published")
    episodes_of(other, range(1, 13))
    experiment = experiments.running(asked={"other": HALF}, now=now, series_ids=[series.id])
    device = device_in(experiment, "other")
    assert prices(api, other, device, now)[8] == 60
    assert met(device) == []
    assert pricing.price_for(viewer_id=device.viewer_id, series_id=other.id, at=now).arm == ""
    assert prices(api, series, device, now)[8] == 30


def test_the_price_takes_one_query_and_an_exposure_is_written_once(
    series: Series, devices: dict[str, Device], now: datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    viewer_id = devices["five"].viewer_id

    def show() -> None:
        paywall.show(viewer_id=viewer_id, environment="production", series_id=series.id, now=now)

    pricing.price_for(viewer_id=viewer_id, series_id=series.id, at=now).ladder  # noqa: B018
    with django_assert_num_queries(1):
        pricing.price_for(viewer_id=viewer_id, series_id=series.id, at=now).ladder  # noqa: B018
    show()
    with django_assert_num_queries(4):
        show()
    assert Exposure.objects.count() == 1


def test_a_past_price_names_the_experiment_and_the_arm(
    api: Client, series: Series, free_counts: Experiment, devices: dict[str, Device], now: datetime
) -> None:
    device = devices["five"]
    fund(device.viewer_id, now=now)
    quote = shown(api, series, device, now)["quote"]
    unlock(api, episode(series, 6), viewer_headers(device, now=now), quote=quote)
    lifecycle.end(experiment_id=free_counts.id, operator_id=free_counts.asked_by_id, now=now + DAY)

    def told(number: int, at: datetime) -> Any:
        return why.why(
            viewer_id=device.viewer_id, environment="production",
            episode_id=episode(series, number), at=at,
        )  # fmt: skip

    (fact,) = told(7, now).price.arms
    assert (fact.experiment, fact.arm) == ("free-count-2026", "five")
    assert (told(7, now).price.price_coins, told(7, now + DAY).price.price_coins) == (60, 0)
    assert told(7, now + DAY).price.arms == []
    (charged,) = told(6, now + DAY).entitlement.cause.price.arms
    assert (charged.experiment, charged.arm) == ("free-count-2026", "five")
