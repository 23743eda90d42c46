"""Where the app is believed, a viewer has one cap and one cooldown, however many placements there are."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings

from ads import adapters
from ads.models import Placement, Reward
from ads.models.placements import PROVISIONAL, Network
from catalog.models import Series
from payments.ledger.verification import violations
from tests.factories.ads import PlacementFactory, ad_session, claim, open_session, report, watch
from tests.factories.payments import as_owner
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode
from viewers.models import Device

SECOND = timedelta(seconds=1)
COOLDOWN = 300 * SECOND
#: From one ad that is claimed as fast as it is believed to the next.
TURN = 15 * SECOND + COOLDOWN
Refused = Callable[[Placement, int, datetime], Any]


@pytest.fixture(autouse=True)
def _believed(settings: Settings) -> Iterator[None]:
    settings.PROVISIONAL_AD_NETWORKS = ["douyin"]
    adapters._adapters.cache_clear()
    yield
    adapters._adapters.cache_clear()


def placement(**of: Any) -> Placement:
    capped = {"network": "douyin", "daily_cap": 3, "cooldown_seconds": 300}
    made: Placement = PlacementFactory(**capped | of)
    return made


@pytest.fixture
def claimed(device: Device, series: Series) -> Callable[[Placement, int, datetime], str]:
    """An ad announced and claimed as fast as it is believed."""

    def at(where: Placement, number: int, now: datetime) -> str:
        opened = open_session(
            where, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        return str(report(claim(opened), now=now + 15 * SECOND, network="douyin").verdict)

    return at


@pytest.fixture
def refused(api: Client, device: Device, series: Series) -> Refused:
    """What the app is told that announces an ad."""

    def at(where: Placement, number: int, now: datetime) -> Any:
        body = {"placement": where.code, "episode_id": str(episode(series, number))}
        headers = viewer_headers(device, now=now)
        return api.post("/v1/ads/sessions", body, "application/json", headers=headers).json()

    return at


def told(api: Client, device: Device, now: datetime) -> dict[str, tuple[int, Any]]:
    """What is left of each placement, and from when on."""
    found = api.get("/v1/ads/placements", headers=viewer_headers(device, now=now)).json()
    return {
        one["placement"]: (one["remaining_today"], one["available_at"])
        for one in found["placements"]
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_three_a_day_is_three_over_all_placements(
    api: Client, device: Device, claimed: Any, refused: Refused, now: datetime
) -> None:
    first, second = placement(), placement()
    other: Placement = PlacementFactory(daily_cap=5)
    for count, where in enumerate((first, second, first)):
        assert claimed(where, 9 + count, now + count * TURN) == "paid"

    later = now + 4 * TURN
    for where in (first, second, placement()):
        answer = refused(where, 12, later)
        assert answer["code"] == "ad_cap_reached"
        assert moment(answer["resets_at"]) > later
        left, available_at = told(api, device, later)[where.code]
        assert (left, moment(available_at)) == (0, moment(answer["resets_at"]))
    # What another network confirms has a cap of its own, and so has another day.
    assert told(api, device, later)[other.code] == (5, None)
    assert claimed(second, 12, moment(answer["resets_at"])) == "paid"


def test_a_narrower_cap_counts_what_was_claimed_elsewhere(
    api: Client, device: Device, claimed: Any, refused: Refused, now: datetime
) -> None:
    wide, narrow = placement(), placement(daily_cap=1)
    assert claimed(wide, 9, now) == "paid"

    later = now + 2 * COOLDOWN
    assert refused(narrow, 10, later)["code"] == "ad_cap_reached"
    assert {code: left for code, (left, _) in told(api, device, later).items()} == {
        wide.code: 2,
        narrow.code: 0,
    }


def test_the_pause_is_one_over_all_placements(
    api: Client, device: Device, series: Series, claimed: Any, refused: Refused, now: datetime
) -> None:
    first, second = placement(), placement()
    assert claimed(first, 9, now) == "paid"

    again_at = now + 15 * SECOND + COOLDOWN
    answer = refused(second, 10, again_at - SECOND)
    assert answer["code"] == "ad_cooling_down"
    assert moment(answer["available_at"]) == again_at
    assert told(api, device, again_at - SECOND)[second.code] == (2, answer["available_at"])

    # An open session begins it as a reward does, and takes a place.
    opened = refused(second, 10, again_at)
    assert opened["network"] == "douyin"
    answer = refused(first, 11, again_at + COOLDOWN - SECOND)
    assert moment(answer["available_at"]) == again_at + COOLDOWN
    assert told(api, device, again_at + COOLDOWN)[first.code] == (1, None)


def test_viewers_and_environments_stand_apart(
    device: Device, series: Series, claimed: Any, now: datetime
) -> None:
    where, other = placement(daily_cap=1), placement(daily_cap=1)
    assert claimed(where, 9, now) == "paid"

    for viewer_id, environment in (
        (device.viewer_id, "sandbox"),
        (DeviceFactory().viewer_id, "production"),
    ):
        opened = open_session(
            other,
            viewer_id=viewer_id,
            episode_id=episode(series, 9),
            now=now,
            environment=environment,
        )
        settled = report(claim(opened), now=now + COOLDOWN, network="douyin")
        assert settled.verdict == "paid"


def test_a_cap_lowered_while_ads_play_is_one_over_all_placements(
    device: Device, series: Series, now: datetime
) -> None:
    opened = [
        open_session(
            placement(session_seconds=3600),
            viewer_id=device.viewer_id,
            episode_id=episode(series, 9 + count),
            now=now + count * COOLDOWN,
        )
        for count in range(3)
    ]
    Placement.objects.update(daily_cap=2)

    later = now + 3 * COOLDOWN
    verdicts = [report(claim(one), now=later, network="douyin").verdict for one in opened]

    assert verdicts == ["paid", "paid", "over_cap"]


@pytest.mark.parametrize("edit", [{}, {"network": "fake", "daily_cap": 50}], ids=["", "edited"])
def test_a_claim_that_was_long_under_way_finds_its_place_taken(
    device: Device, series: Series, claimed: Any, now: datetime, edit: dict[str, Any]
) -> None:
    """Its session was over when others took the place. A session keeps its network, and with it the cap."""
    late, others = placement(session_seconds=60), placement()
    opened = open_session(late, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)
    Placement.objects.filter(id=late.id).update(**{"is_active": True} | edit)
    for count in range(1, 4):
        assert claimed(others, 9 + count, now + count * TURN) == "paid"

    settled = report(claim(opened), now=now + 59 * SECOND, network="douyin")

    assert settled.verdict == "over_cap"
    assert Reward.objects.filter(network="douyin").count() == 3


def test_verification_finds_a_claim_too_many(
    device: Device, series: Series, claimed: Any, now: datetime
) -> None:
    where, other = placement(), placement()
    for count in range(3):
        assert claimed(where, 9 + count, now + count * TURN) == "paid"
    assert list(violations()) == []
    verified = PlacementFactory()
    seen = ad_session(verified, viewer_id=device.viewer_id, episode_id=episode(series, 12), now=now)
    watch(seen, now=now)
    assert list(violations()) == []

    with transaction.atomic():
        savepoint = transaction.savepoint()
        with as_owner() as cursor:
            cursor.execute(
                "UPDATE ads_reward SET network = 'douyin', placement_id = %s WHERE network = 'fake'",
                [other.id],
            )
        found = {violation.rule for violation in violations()}
        transaction.savepoint_rollback(savepoint)

    assert "no viewer is believed more than three ads a day" in found


def test_the_database_and_the_forecast_mean_the_same_networks(db: None) -> None:
    with as_owner() as cursor:
        cursor.execute(
            "SELECT network FROM unnest(%s::text[]) AS network WHERE ads_is_believed(network)",
            [Network.values],
        )
        found = {network for (network,) in cursor.fetchall()}

    assert found == {network.value for network in PROVISIONAL}
