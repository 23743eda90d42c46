"""Every network's callback, from the announced ad to the open episode and the answer that it waits for."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from ads import adapters
from ads.admin.placements import AD_UNITS
from ads.checks import networks_can_be_believed
from ads.models import Callback, Network, Placement, Reward
from catalog.models import Series
from demo.networks import account as accounts
from demo.networks import signing
from demo.networks.signing import View, Writer
from payments.models import Entitlement
from tests.factories.ads import PlacementFactory
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.calls import episode

SECRET = "an-address-that-nobody-knows-0123"
ACCOUNT = accounts.opened()
#: How the app's placement names the ad unit, by network.
UNITS: Mapping[str, str] = {
    "applovin": "9ad0816ac071552a",
    "levelplay": "a1b2c3d4e",
    "unity": "Rewarded_Android",
    "pangle": "980000001",
    "wechat": "adunit-0123456789abcdef",
}
#: The exact answers: paid, and nothing paid.
ANSWERS: Mapping[str, tuple[str, str]] = {
    "applovin": ('{"verdict":"paid"}', '{"verdict":"orphan"}'),
    "levelplay": ("{transaction}:OK", "{transaction}:OK"),
    "unity": ("1", "orphan"),
    "pangle": ('{"isValid":true}', '{"isValid":false}'),
    "wechat": ('{"is_valid":true}', '{"is_valid":false}'),
}
EVERY = pytest.mark.parametrize("network", list(UNITS))


@pytest.fixture(autouse=True)
def networks(settings: Settings) -> Iterator[None]:
    """Accounts at all of them."""
    settings.AD_CALLBACK_SECRET = SECRET
    settings.APPLOVIN_EVENT_KEYS = f"an older one, {ACCOUNT.applovin_event_key}"
    settings.LEVELPLAY_PRIVATE_KEYS = ACCOUNT.levelplay_private_key
    settings.UNITY_ADS_SECRETS = ACCOUNT.unity_secret
    settings.PANGLE_SECURITY_KEYS = f"980000001:{ACCOUNT.pangle_key('980000001')}, 2:another"
    settings.WECHAT_ADS_TOKEN = ACCOUNT.wechat_token
    settings.WECHAT_ADS_AES_KEY = ACCOUNT.wechat_aes_key
    settings.PROVISIONAL_AD_NETWORKS = ["douyin"]
    adapters._adapters.cache_clear()
    yield
    adapters._adapters.cache_clear()


def announced(api: Client, network: str, series: Series, headers: Any, **of: Any) -> Any:
    """What the app is told before it shows an ad for episode 9."""
    unit = UNITS.get(network, "1f2e3d4c5b6a")
    PlacementFactory(code="paywall", network=network, ad_unit_id=unit, **of)
    body = {"placement": "paywall", "episode_id": str(episode(series, 9))}
    response = api.post("/v1/ads/sessions", body, "application/json", headers=headers)
    assert response.status_code == 201, response.json()
    return response.json()


def view(told: Any, *, now: datetime, **changed: str) -> View:
    said = {name: told[name] for name in ("custom_data", "user_id")} | changed
    transaction_id = said.pop("transaction_id", uuid4().hex)
    return View(ad_unit=told["ad_unit_id"], transaction_id=transaction_id, watched_at=now, **said)


def call(api: Client, network: str, query: str, *, now: datetime, secret: str = SECRET) -> Any:
    address = f"/v1/ssv/{network}/{secret}" if secret else f"/v1/ssv/{network}"
    return api.get(f"{address}?{query}", headers=clock_headers(now))


def state(api: Client, told: Any, headers: Any) -> Any:
    return api.get(f"/v1/ads/sessions/{told['ad_session_id']}", headers=headers).json()["state"]


@EVERY
def test_opens_the_episode_and_answers_as_the_network_waits_for(
    api: Client, series: Series, headers: Any, now: datetime, network: str
) -> None:
    told = announced(api, network, series, headers)
    writer: Writer = signing.WRITERS[network]
    watched = view(told, now=now)
    query = writer(ACCOUNT, watched)

    first = call(api, network, query, now=now)
    again = call(api, network, query, now=now + timedelta(minutes=1))

    wanted = ANSWERS[network][0].replace("{transaction}", watched.transaction_id)
    assert (first.status_code, first.text) == (200, wanted)
    # A repetition is answered as the first one, but where nobody reads the answer, and does nothing.
    wanted_again = '{"verdict":"replayed"}' if network == "applovin" else wanted
    assert (again.status_code, again.text) == (200, wanted_again)
    assert first.headers["Cache-Control"] == "no-store"
    assert state(api, told, headers) == "rewarded"
    assert Entitlement.objects.get().episode_id == episode(series, 9)
    callback = Callback.objects.get()
    assert (callback.network, callback.verdict, callback.replay_count) == (network, "paid", 1)
    assert bytes(callback.raw_query) == query.encode()


@EVERY
def test_pays_nothing_for_a_session_that_nobody_opened_and_says_so(
    api: Client, series: Series, headers: Any, now: datetime, network: str
) -> None:
    told = announced(api, network, series, headers)
    orphan = uuid4().hex + told["custom_data"][32:]
    watched = view(told, now=now, custom_data=orphan)

    response = call(api, network, signing.WRITERS[network](ACCOUNT, watched), now=now)

    wanted = ANSWERS[network][1].replace("{transaction}", watched.transaction_id)
    assert (response.status_code, response.text) == (400 if network == "unity" else 200, wanted)
    assert (Reward.objects.count(), Callback.objects.get().verdict) == (0, "orphan")
    assert state(api, told, headers) == "open"


@EVERY
def test_pays_nobody_but_the_sessions_viewer(
    api: Client, series: Series, headers: Any, now: datetime, network: str
) -> None:
    told, thief = announced(api, network, series, headers), DeviceFactory().viewer_id.hex
    stolen = told["custom_data"][:32] + thief if network == "unity" else told["custom_data"]
    watched = view(told, now=now, user_id=thief, custom_data=stolen)

    call(api, network, signing.WRITERS[network](ACCOUNT, watched), now=now)

    assert (Reward.objects.count(), Callback.objects.get().verdict) == (0, "other_viewer")
    assert state(api, told, headers) == "open"


@EVERY
def test_refuses_and_keeps_what_somebody_else_has_signed(
    api: Client, series: Series, headers: Any, now: datetime, network: str
) -> None:
    told = announced(api, network, series, headers)
    query = signing.WRITERS[network](accounts.opened(), view(told, now=now))

    response = call(api, network, query, now=now)

    assert (response.status_code, response.json()["code"]) == (403, "callback_forged")
    assert (Reward.objects.count(), Callback.objects.get().verdict) == (0, "refused")


@EVERY
@pytest.mark.parametrize("secret", ["", "another", SECRET[:-1], SECRET + "0"])
def test_answers_at_no_other_address_and_keeps_nothing_of_it(
    api: Client, series: Series, headers: Any, now: datetime, network: str, secret: str
) -> None:
    told = announced(api, network, series, headers)
    query = signing.WRITERS[network](ACCOUNT, view(told, now=now))

    response = call(api, network, query, now=now, secret=secret)

    assert (response.status_code, response.json()["code"]) == (404, "network_unknown")
    assert not Callback.objects.exists()


def test_admob_has_no_secret_address(api: Client, db: None, now: datetime) -> None:
    for network in ("admob", "fake", "douyin"):
        response = call(api, network, "a=1", now=now)
        assert (response.status_code, response.json()["code"]) == (404, "network_unknown")


def test_two_reports_of_one_view_pay_once(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    told = announced(api, "pangle", series, headers)
    for number, body in ((1, '{"isValid":true}'), (2, '{"isValid":false}')):
        watched = view(told, now=now, transaction_id=f"t-{number}")
        assert call(api, "pangle", signing.pangle(ACCOUNT, watched), now=now).text == body

    assert [callback.verdict for callback in Callback.objects.order_by("id")] == [
        "paid",
        "session_used",
    ]


def test_an_ad_of_another_unit_pays_nothing(
    api: Client, series: Series, headers: Any, now: datetime, settings: Settings
) -> None:
    """Whose key signed says whose ad it was."""
    told = announced(api, "pangle", series, headers)
    settings.PANGLE_SECURITY_KEYS = f"980000002:{ACCOUNT.pangle_key('980000001')}"
    adapters._adapters.cache_clear()

    response = call(api, "pangle", signing.pangle(ACCOUNT, view(told, now=now)), now=now)

    assert (response.text, Callback.objects.get().verdict) == (
        '{"isValid":false}',
        "other_placement",
    )


def test_says_wechats_word_back(api: Client, db: None, now: datetime) -> None:
    query = signing.wechat_trial(ACCOUNT, now)

    response = call(api, "wechat", query, now=now)

    assert response.json() == {"echostr": parse_qs(query)["echostr"][0]}
    assert Callback.objects.get().verdict == "probe"


def test_wechat_is_answered_after_one_round_trip(
    api: Client,
    series: Series,
    headers: Any,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    """It waits for a second."""
    told = announced(api, "wechat", series, headers)
    query = signing.wechat(ACCOUNT, view(told, now=now))

    with django_assert_max_num_queries(1):
        call(api, "wechat", query, now=now)


def test_acknowledges_levelplays_test(api: Client, db: None, now: datetime) -> None:
    probe = View(ad_unit="a", custom_data="", user_id="probe", transaction_id="e-1", watched_at=now)

    response = call(api, "levelplay", signing.levelplay(ACCOUNT, probe), now=now)

    assert (response.text, Callback.objects.get().verdict) == ("e-1:OK", "probe")


def claim(told: Any) -> str:
    names = ("custom_data", "user_id")
    return f"ad_unit={told['ad_unit_id']}&" + "&".join(f"{name}={told[name]}" for name in names)


CAPPED = {"daily_cap": 3, "cooldown_seconds": 300}


def test_believes_a_douyin_app_once_and_no_sooner_than_an_ad_ends(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    told = announced(api, "douyin", series, headers, **CAPPED)
    query = claim(told)

    at_once = call(api, "douyin", query, now=now + timedelta(seconds=5), secret="")
    later = [
        call(api, "douyin", query, now=now + timedelta(seconds=40 + number), secret="").json()
        for number in range(2)
    ]

    assert (at_once.status_code, at_once.json()["code"]) == (403, "callback_implausible")
    assert later == [{"verdict": "paid"}, {"verdict": "replayed"}]
    assert Reward.objects.count() == 1


def test_believes_no_douyin_app_without_our_ticket(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    told = announced(api, "douyin", series, headers, **CAPPED)
    later = now + timedelta(minutes=1)

    plain = claim(told | {"custom_data": told["ad_session_id"].replace("-", "") + "0" * 32})
    assert call(api, "douyin", plain, now=later, secret="").status_code == 403
    stolen = claim(told | {"user_id": uuid4().hex})
    assert call(api, "douyin", stolen, now=later, secret="").status_code == 403
    assert not Reward.objects.exists()


@pytest.mark.parametrize("of", [{"daily_cap": 4}, {"cooldown_seconds": 299}], ids=str)
def test_the_database_refuses_a_wide_cap_where_the_app_is_believed(
    db: None, of: dict[str, int]
) -> None:
    with pytest.raises(IntegrityError, match="ads_placement_provisional"), transaction.atomic():
        PlacementFactory(network="douyin", **CAPPED | of)
    assert PlacementFactory(network="douyin", **CAPPED)
    assert PlacementFactory(network="pangle", **CAPPED | of)


def test_operators_can_name_an_ad_unit_of_every_network() -> None:
    assert set(AD_UNITS) == set(Network)
    for network, unit in UNITS.items():
        shape, _ = AD_UNITS[Network(network)]
        assert shape.fullmatch(unit)
        assert not shape.fullmatch(f"{unit} ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WECHAT_ADS_AES_KEY", ""),
        ("WECHAT_ADS_AES_KEY", "too-short"),
        ("PANGLE_SECURITY_KEYS", "980000001"),
        ("PANGLE_SECURITY_KEYS", "1:a,2:a"),
        ("APPLOVIN_EVENT_KEYS", " , "),
        ("PROVISIONAL_AD_NETWORKS", ["pangle"]),
        ("PROVISIONAL_AD_NETWORKS", ["somebody"]),
    ],
)
def test_says_before_it_serves_that_a_networks_settings_cannot_be_used(
    settings: Settings, name: str, value: object
) -> None:
    call_command("check")
    setattr(settings, name, value)

    with pytest.raises(SystemCheckError, match=r"cliffhanger\.E015"):
        call_command("check")


def test_leaves_it_to_the_keyrings_check_to_say_that_there_is_no_key(settings: Settings) -> None:
    settings.KEYRING = ""

    assert networks_can_be_believed() == []


@pytest.mark.parametrize(("cap", "status"), [("4", 200), ("3", 302)])
def test_an_operator_is_told_of_the_narrow_cap(db: None, cap: str, status: int) -> None:
    form = {
        "code": "paywall",
        "title": "Watch an ad",
        "network": "douyin",
        "ad_unit_id": "1f2e3d4c5b6a",
        "reward": "episodes",
        "reward_amount": "1",
        "ads_needed": "1",
        "titles": "all",
        "audience": "not_covered",
        "daily_cap": cap,
        "cooldown_seconds": "300",
        "session_seconds": "3600",
        "estimate": "0",
    }

    response = signed_in(operator(role="pricing")).post("/admin/ads/placement/add/", form)

    assert response.status_code == status
    assert ("at most 3 a day, 300 s apart" in response.text) == (status == 200)


def test_tells_no_secret_when_settings_cannot_be_used(settings: Settings) -> None:
    settings.PANGLE_SECURITY_KEYS = "1:very-secret,2:very-secret"

    with pytest.raises(SystemCheckError) as refused:
        call_command("check")
    assert "very-secret" not in str(refused.value)


def test_a_placement_of_a_network_that_is_on_is_offered(
    api: Client, series: Series, headers: Any, now: datetime, settings: Settings
) -> None:
    told = announced(api, "unity", series, headers)
    shown = api.get("/v1/ads/placements", headers=headers).json()["placements"]
    assert [one["network"] for one in shown] == ["unity"]
    assert len(told["custom_data"]) == 64

    settings.UNITY_ADS_SECRETS = ""
    adapters._adapters.cache_clear()

    assert api.get("/v1/ads/placements", headers=headers).json()["placements"] == []
    assert Placement.objects.exists()
