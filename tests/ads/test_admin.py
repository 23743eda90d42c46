"""Operators edit placements, and look up sessions, rewards and callbacks without touching them."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from ads.models import AdSession, Callback, Placement, Reward, VerifierKeys
from catalog.models import Series
from tests.factories.ads import ad_session, report, watch
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import episode
from viewers.models import Device

READ_ONLY = ["adsession", "reward", "callback", "verifierkeys"]
FORM = {
    "code": "paywall",
    "title": "Watch an ad",
    "network": "admob",
    "ad_unit_id": "ca-app-pub-3940256099942544/5224354917",
    "reward": "episodes",
    "reward_amount": "1",
    "ads_needed": "1",
    "titles": "all",
    "audience": "not_covered",
    "daily_cap": "5",
    "cooldown_seconds": "30",
    "session_seconds": "3600",
    "estimate": "0.0125",
    "is_active": "on",
}


@pytest.fixture
def pricing(db: None) -> Client:
    return signed_in(operator(role="pricing"))


@pytest.fixture
def reward(placement: Placement, series: Series, device: Device, now: datetime) -> Reward:
    """A rewarded session, with an orphan and a refused callback beside it."""
    for _ in range(2):
        other = ad_session(
            placement, viewer_id=DeviceFactory().viewer_id, episode_id=episode(series, 9), now=now
        )
        watch(other, now=now, custom_data=uuid4().hex)
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )
    watch(session, now=now, transaction_id="look-for-me")
    with pytest.raises(Exception, match="signature"):
        report("a=%00&x", now=now)
    VerifierKeys.objects.create(network="admob", document=b"{}", failure="ConnectTimeout")
    return Reward.objects.get()


def test_a_placement_is_made_with_the_estimate_typed_as_money(
    pricing: Client, now: datetime
) -> None:
    response = pricing.post("/admin/ads/placement/add/", FORM)

    placement = Placement.objects.get()
    assert response.status_code == 302
    assert placement.estimated_net_micros == 12_500
    assert (placement.daily_cap, placement.cooldown_seconds) == (5, 30)
    for micros, shown in ((12_500, "0.0125"), (1, "0.000001"), (100_000_000, "100")):
        Placement.objects.update(estimated_net_micros=micros)
        page = pricing.get(f"/admin/ads/placement/{placement.id}/change/")
        assert f'value="{shown}"' in page.text
        again = FORM | {"estimate": shown}
        pricing.post(f"/admin/ads/placement/{placement.id}/change/", again)
        assert Placement.objects.get().estimated_net_micros == micros


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(1, "1 episode for each ad"), (3, "3 episodes for each ad")],
    ids=["one", "several"],
)
def test_the_list_says_what_an_ad_is_watched_for(
    pricing: Client, placement: Placement, amount: int, shown: str
) -> None:
    Placement.objects.filter(id=placement.id).update(reward_amount=amount)
    assert shown in pricing.get("/admin/ads/placement/").content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("daily_cap", "0"),
        ("daily_cap", "101"),
        ("cooldown_seconds", "86401"),
        ("session_seconds", "59"),
        ("estimate", "-0.01"),
        ("estimate", "100.01"),
        ("ad_unit_id", "5224354917"),
        ("ad_unit_id", "ca-app-pub-x/5224354917"),
        ("network", "applovin"),
        ("code", "with spaces"),
    ],
)
def test_refuses_a_placement_that_could_not_work(pricing: Client, field: str, value: str) -> None:
    response = pricing.post("/admin/ads/placement/add/", FORM | {field: value})

    assert response.status_code == 200
    assert field in response.context["adminform"].form.errors
    assert not Placement.objects.exists()


def test_a_placement_is_switched_off_and_never_deleted(
    pricing: Client, placement: Placement
) -> None:
    page = f"/admin/ads/placement/{placement.id}"
    assert pricing.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    given = FORM | {"network": "fake", "ad_unit_id": placement.ad_unit_id}
    del given["is_active"]

    assert pricing.post(f"{page}/change/", given).status_code == 302

    assert not Placement.objects.get().is_active


@pytest.mark.parametrize("model", READ_ONLY)
def test_rows_of_ads_are_looked_at_and_never_written(
    reward: Reward, model: str, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(operator("root", is_superuser=True))
    rows: dict[str, Any] = {
        "adsession": AdSession,
        "reward": Reward,
        "callback": Callback,
        "verifierkeys": VerifierKeys,
    }
    url = f"/admin/ads/{model}"
    with django_assert_max_num_queries(10):
        assert client.get(f"{url}/").status_code == 200
    for row in rows[model].objects.all():
        assert client.get(f"{url}/{row.pk}/change/").status_code == 200
        assert client.post(f"{url}/{row.pk}/change/", {}).status_code == 403
        assert client.post(f"{url}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{url}/add/").status_code == 403


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("adsession", ["viewer_id", "session_id"]),
        ("reward", ["viewer_id", "session_id", "entitlement_id", "transaction_id"]),
        ("callback", ["session_id", "transaction_id"]),
    ],
)
def test_a_row_is_found_by_each_whole_identifier(
    reward: Reward, model: str, found: list[str]
) -> None:
    client = signed_in(operator(role="support"))
    for name in found:
        page = client.get(f"/admin/ads/{model}/?q={getattr(reward, name)}")
        assert [page.status_code, len(page.context["cl"].result_list)] == [200, 1], name
    for term in ("look-for", "'", str(uuid4())):
        page = client.get(f"/admin/ads/{model}/?q={term}")
        assert [page.status_code, len(page.context["cl"].result_list)] == [200, 0], term


def test_what_paid_nothing_is_found_by_its_verdict(reward: Reward) -> None:
    client = signed_in(operator(role="support"))
    for verdict, number in (("orphan", 2), ("refused", 1), ("paid", 1), ("over_cap", 0)):
        page = client.get(f"/admin/ads/callback/?verdict__exact={verdict}")
        assert len(page.context["cl"].result_list) == number, verdict


def test_the_filter_offers_only_verdicts_that_a_row_can_have(reward: Reward) -> None:
    page = signed_in(operator(role="support")).get("/admin/ads/callback/").text

    assert 'value="over_cap"' in page
    assert 'value="replayed"' not in page


@pytest.mark.parametrize(
    ("table", "column"), [("ads_adsession", "opened_at"), ("ads_callback", "received_at")]
)
def test_an_index_answers_for_a_day(db: None, table: str, column: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        definitions = [definition for (definition,) in cursor.fetchall()]

    assert any(definition.endswith(f"({column})") for definition in definitions)
