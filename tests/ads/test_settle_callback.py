"""GET /v1/ssv/{network}: one genuine callback opens one episode; everything else opens nothing."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from ads.models import AdSession, Callback, Placement, Reward
from ads.networks import registry
from catalog.models import Series
from payments.access import entitlements
from payments.models import Entitlement, Transfer
from tests.factories.ads import PlacementFactory, ad_session, report, watch, watched
from tests.factories.payments import fund, give_cover
from tests.factories.viewers import DeviceFactory, ViewerFactory, clock_headers, viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    """An open session for episode 9."""
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


def call(api: Client, query: str, *, now: datetime, network: str = "fake") -> Any:
    return api.get(f"/v1/ssv/{network}?{query}", headers=clock_headers(now))


def kept() -> list[tuple[str, int]]:
    """The verdicts of every callback that is kept, with their repetitions."""
    return list(Callback.objects.order_by("id").values_list("verdict", "replay_count"))


def assert_nothing_was_granted() -> None:
    assert (Reward.objects.count(), Entitlement.objects.filter(source="ad").count()) == (0, 0)


def test_opens_the_episode_for_good(
    api: Client, session: AdSession, device: Device, headers: Any, now: datetime
) -> None:
    query = watched(session, now=now, transaction_id="t-1")

    response = call(api, query, now=now)

    entitlement, reward = Entitlement.objects.get(), Reward.objects.get()
    assert (response.status_code, response.json()) == (200, {"verdict": "paid"})
    assert (entitlement.source, entitlement.ends_at, entitlement.starts_at) == ("ad", None, now)
    assert (entitlement.viewer_id, entitlement.episode_id) == (device.viewer_id, session.episode_id)
    assert (reward.entitlement_id, reward.session_id) == (entitlement.id, session.id)
    assert (reward.transaction_id, reward.revenue_micros) == ("t-1", 12_000)
    assert not Transfer.objects.exists()
    callback = Callback.objects.get()
    assert (callback.verdict, callback.session_id) == ("paid", session.id)
    assert bytes(callback.raw_query) == query.encode()
    play = api.post(f"/v1/episodes/{session.episode_id}/play", headers=headers)
    assert play.status_code == 200


def test_tells_the_app_that_polls(
    api: Client, session: AdSession, headers: Any, now: datetime
) -> None:
    url = f"/v1/ads/sessions/{session.id}"
    before = api.get(url, headers=headers).json()
    watch(session, now=now)
    after = api.get(url, headers=headers).json()

    assert (before["state"], before["entitlement_id"]) == ("open", None)
    assert (after["state"], after["rewarded_at"]) == ("rewarded", "2026-03-14T12:00:00Z")
    assert after["entitlement_id"] == str(Entitlement.objects.get().id)


def test_a_callback_that_comes_a_hundred_times_pays_once(
    api: Client, session: AdSession, now: datetime
) -> None:
    query = watched(session, now=now)

    answers = [call(api, query, now=now).json()["verdict"] for _ in range(100)]

    assert answers == ["paid"] + ["replayed"] * 99
    assert (Reward.objects.count(), Entitlement.objects.count()) == (1, 1)
    assert kept() == [("paid", 99)]


def test_a_second_view_of_a_session_pays_nothing(session: AdSession, now: datetime) -> None:
    verdicts = [watch(session, now=now).verdict for _ in range(2)]

    assert verdicts == ["paid", "session_used"]
    assert Reward.objects.count() == 1


def test_a_replay_says_what_came_of_the_first(session: AdSession, now: datetime) -> None:
    query = watched(session, now=now, custom_data=uuid4().hex)
    report(query, now=now)

    settled = report(query, now=now)

    assert (settled.verdict, settled.first) == ("replayed", "orphan")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"custom_data": uuid4().hex}, "orphan"),
        ({"custom_data": "not-a-session"}, "orphan"),
        ({"custom_data": ""}, "orphan"),
        ({"user_id": uuid4().hex}, "other_viewer"),
        ({"user_id": "somebody"}, "other_viewer"),
        ({"user_id": ""}, "other_viewer"),
        ({"ad_unit_id": "their-app/their-unit"}, "other_placement"),
        ({"custom_data": "", "user_id": ""}, "probe"),
        ({"transaction_id": "123456789"}, "probe"),
    ],
)
def test_pays_nothing_for_what_is_not_this_sessions(
    api: Client, session: AdSession, now: datetime, said: dict[str, Any], verdict: str
) -> None:
    response = call(api, watched(session, now=now, **said), now=now)

    assert (response.status_code, response.json()) == (200, {"verdict": verdict})
    assert_nothing_was_granted()
    assert kept() == [(verdict, 0)]
    # A stranger's callback must not use up the session.
    assert watch(session, now=now).verdict == "paid"


def test_another_viewer_cannot_have_the_ad_of_the_first(session: AdSession, now: datetime) -> None:
    thief = DeviceFactory()

    settled = watch(session, now=now, user_id=thief.viewer_id.hex)

    assert settled.verdict == "other_viewer"
    assert_nothing_was_granted()


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(3599.999, "paid"), (3600, "late"), (89_999.999, "late"), (90_000, "expired")],
)
def test_waits_for_the_network_until_the_session_expires(
    session: AdSession, now: datetime, seconds: float, verdict: str
) -> None:
    settled = watch(session, now=now + timedelta(seconds=seconds))

    assert settled.verdict == verdict
    assert Reward.objects.count() == (verdict != "expired")


def test_pays_nothing_for_an_episode_that_was_bought_meanwhile(
    api: Client, session: AdSession, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now)
    quote = api.get(f"/v1/series/{session.series_id}/paywall", headers=headers).json()["quote"]
    unlock(api, session.episode_id, headers, quote=quote)

    settled = watch(session, now=now)

    assert settled.verdict == "already_open"
    assert_nothing_was_granted()
    assert Entitlement.objects.get().source == "coins"
    shown = api.get(f"/v1/ads/sessions/{session.id}", headers=headers).json()
    assert (shown["state"], shown["refusal"]) == ("refused", "already_open")


def test_an_episode_that_an_ad_opened_costs_no_coins(
    api: Client, session: AdSession, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now)
    quote = api.get(f"/v1/series/{session.series_id}/paywall", headers=headers).json()["quote"]
    watch(session, now=now)

    response = unlock(api, session.episode_id, headers, quote=quote)

    assert response.json()["outcome"] == "already_unlocked"
    assert response.json()["balance"]["coins"] == 500


def test_takes_the_place_of_an_entitlement_that_has_lapsed(
    session: AdSession, series: Series, device: Device, now: datetime
) -> None:
    start = now - timedelta(days=1)
    give_cover(device.viewer_id, starts_at=start, ends_at=now)
    entitlements.open_covered(
        viewer_id=device.viewer_id,
        environment="production",
        series_id=series.id,
        episode_ids=[episode(series, 9)],
        now=start,
    )

    assert watch(session, now=now).verdict == "paid"

    lapsed, opened = Entitlement.objects.order_by("starts_at")
    assert (lapsed.closed_at, opened.closed_at) == (now, None)


def test_pays_although_the_episode_was_withdrawn_while_the_ad_played(
    session: AdSession, now: datetime
) -> None:
    Series.objects.update(state="withdrawn")

    assert watch(session, now=now).verdict == "paid"


def test_counts_the_cap_again_when_it_pays(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    sessions = [
        ad_session(
            placement, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        for number in (9, 10, 11)
    ]
    Placement.objects.update(daily_cap=2)

    assert [watch(session, now=now).verdict for session in sessions] == ["paid", "paid", "over_cap"]
    assert sorted(Reward.objects.values_list("number", "daily_cap")) == [(1, 2), (2, 2)]
    assert AdSession.objects.get(id=sessions[2].id).refusal == "over_cap"


def test_keeps_the_estimate_of_its_time(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    for number, estimate in ((9, 12_000), (10, 15_000)):
        Placement.objects.update(estimated_net_micros=estimate)
        session = ad_session(
            placement, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        watch(session, now=now)

    assert sorted(Reward.objects.values_list("revenue_micros", flat=True)) == [12_000, 15_000]


def test_a_tester_is_rewarded_in_the_sandbox(
    api: Client, placement: Placement, series: Series, now: datetime
) -> None:
    tester = DeviceFactory(viewer=ViewerFactory(environment="sandbox"))
    body = {"placement": "paywall", "episode_id": str(episode(series, 9))}
    opened = api.post(
        "/v1/ads/sessions", body, "application/json", headers=viewer_headers(tester, now=now)
    ).json()

    watch(AdSession.objects.get(id=opened["ad_session_id"]), now=now)

    assert Entitlement.objects.get().environment == "sandbox"
    assert Reward.objects.get().environment == "sandbox"


def test_two_networks_may_use_the_same_transaction_id(
    api: Client,
    series: Series,
    device: Device,
    now: datetime,
    admob_signs_with_the_fake_key: None,
) -> None:
    for number, network in ((9, "admob"), (10, "fake")):
        placement = PlacementFactory(network=network, ad_unit_id=f"ca-app-pub-1/{number}")
        session = ad_session(
            placement, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        query = watched(session, now=now, transaction_id="one-id")
        assert call(api, query, now=now, network=network).json() == {"verdict": "paid"}

    assert Reward.objects.filter(transaction_id="one-id").count() == 2


def test_one_network_cannot_settle_a_session_of_another(
    api: Client,
    series: Series,
    device: Device,
    now: datetime,
    admob_signs_with_the_fake_key: None,
) -> None:
    placement = PlacementFactory(network="admob", ad_unit_id="ca-app-pub-1/77")
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )

    response = call(api, watched(session, now=now), now=now, network="fake")

    assert response.json() == {"verdict": "other_placement"}
    assert_nothing_was_granted()


def test_matches_the_ad_unit_as_the_network_shortens_it(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    Placement.objects.update(ad_unit_id="ca-app-pub-3940256099942544/5224354917")
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )

    assert "ad_unit=5224354917&" in watched(session, now=now)
    assert watch(session, now=now).verdict == "paid"


@pytest.mark.parametrize(
    "what", ["custom_data", "user_id", "ad_unit", "timestamp", "transaction_id"]
)
def test_refuses_a_query_in_which_anything_was_changed(
    api: Client, session: AdSession, now: datetime, what: str
) -> None:
    query = watched(session, now=now)
    before, _, rest = query.partition(f"{what}=")
    altered = f"{before}{what}={'1' if rest[0] != '1' else '2'}{rest[1:]}"

    response = call(api, altered, now=now)

    assert (response.status_code, response.json()["code"]) == (403, "callback_forged")
    assert_nothing_was_granted()
    assert kept() == [("refused", 0)]


def test_refuses_a_signature_of_another_key(api: Client, session: AdSession, now: datetime) -> None:
    query = watched(session, now=now).replace("&key_id=1", "&key_id=2")

    response = call(api, query, now=now)

    assert (response.status_code, response.json()["code"]) == (403, "callback_forged")
    assert_nothing_was_granted()


HOSTILE = [
    *("", "x", "=", "&", "?", "signature=x&key_id=1", "a=1&signature=&key_id=1", "\x00"),
    *("a=1&signature=x&key_id=0", "a=1&signature=x&key_id=99999999999999999999", "%00=%00"),
    *("a=%&signature=x&key_id=1", "a=%zz&signature=x&key_id=1", "a=%ff&signature=x&key_id=1"),
    *(
        "a=%ED%A0%80&signature=x&key_id=1",
        "a=1&signature=x&key_id=1&b=2",
        "a=1&signature=x;key_id=1",
    ),
    *(
        "a=1&signature=x&signature=x&key_id=1",
        "a=1&key_id=1&signature=x",
        "a=é&signature=x&key_id=1",
    ),
    *("custom_data=" + "x" * 1_000_000 + "&signature=x&key_id=1", "&" * 100_000),
    *("a=1&signature=" + "A" * 500 + "&key_id=1", "a=\x00&signature=x&key_id=1"),
]


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: repr(query[:40]))
@pytest.mark.parametrize("network", ["fake", "admob"])
def test_answers_anything_else_with_a_problem(
    db: None, api: Client, now: datetime, query: str, network: str
) -> None:
    response = call(api, query, now=now, network=network)

    assert response.status_code in {400, 403}
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] in {"callback_malformed", "callback_forged"}
    assert all(len(bytes(callback.raw_query)) <= 8192 for callback in Callback.objects.all())


def test_refuses_what_is_signed_and_malformed(
    api: Client, session: AdSession, now: datetime
) -> None:
    network = registry.fake_network(settings)
    text = watched(session, now=now).partition("&signature=")[0]
    signed = network.sign(text.replace("&reward_item=Episode", "&reward_item=x&reward_item=y"))

    response = call(api, signed, now=now)

    assert (response.status_code, response.json()["code"]) == (400, "callback_malformed")
    assert_nothing_was_granted()


def test_keeps_a_thousand_refused_callbacks_an_hour_and_no_more(
    api: Client, session: AdSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ads.callbacks.KEPT_PER_HOUR", 3)  # a thousand takes as many requests
    for _ in range(5):
        call(api, "x", now=now)
    call(api, watched(session, now=now, transaction_id="123456789"), now=now)
    assert kept() == [("refused", 0)] * 3 + [("probe", 0)]

    call(api, "x", now=now + timedelta(hours=1, seconds=1))

    assert Callback.objects.filter(verdict="refused").count() == 4
    assert watch(session, now=now).verdict == "paid"


def test_is_deaf_to_a_network_that_is_off(
    api: Client, session: AdSession, now: datetime, no_fake_network: None
) -> None:
    query = registry.fake_network(settings).watched(
        ad_unit_id="x/y", custom_data="a", user_id="b", now=now
    )
    for network in ("fake", "applovin", "x" * 300):
        response = call(api, query, now=now, network=network)
        assert (response.status_code, response.json()["code"]) == (404, "network_unknown")
    assert not Callback.objects.exists()


def test_settles_in_one_round_trip(
    api: Client, session: AdSession, now: datetime, django_assert_max_num_queries: Any
) -> None:
    query = watched(session, now=now)

    with django_assert_max_num_queries(1):
        call(api, query, now=now)
