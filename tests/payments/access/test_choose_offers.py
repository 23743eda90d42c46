"""GET /v1/series/{id}/paywall under a policy: what is shown, what is kept of it, and what it leads to."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Series
from payments.access import offer_choices, paywall
from payments.access import offer_policies as policies
from payments.desk import offer_policies as desk
from payments.models import OfferArm, OfferDecision, OfferPolicy, OfferTaken
from payments.models.offer_choices import DEFAULT
from tests.factories import offer_policies
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.operators import operator, signed_in
from tests.factories.payments import StorePassFactory, StoreProductFactory, buy_pass, fund
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device

MINUTE = timedelta(minutes=1)
NO_COINS = {"ad-first": (["ad", "subscription", "packs"], 1)}
EVERYBODY: dict[str, Any] = {}


@pytest.fixture
def device() -> Device:
    """Of a viewer whom no policy holds out."""
    return offer_policies.device()


@pytest.fixture
def everything(series: Series) -> Series:
    """A series before which there are all ways that there can be."""
    PlacementFactory(code="paywall")
    StoreProductFactory()
    StorePassFactory()
    return series


def shown(api: Client, series: Series, headers: Any) -> dict[str, Any]:
    response = api.get(f"/v1/series/{series.id}/paywall", headers=headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def ways(body: dict[str, Any]) -> tuple[list[str], int, str | None]:
    """The kinds of options in order, how many packs, and the primary means."""
    return [one["kind"] for one in body["options"]], len(body["offers"]), body["primary"]


def test_without_a_policy_everything_is_shown_and_nothing_is_kept(
    api: Client, everything: Series, device: Device, headers: Any, now: datetime
) -> None:
    body = shown(api, everything, headers)
    assert ways(body) == (["coins", "subscription", "ad"], 1, "packs")
    assert body["decision_id"] is None

    fund(device.viewer_id, now=now)
    assert ways(shown(api, everything, headers)) == (["coins", "subscription", "ad"], 0, "coins")
    assert not OfferDecision.objects.exists()


def test_a_decision_is_made_once_and_stands_whatever_becomes_of_the_policy(
    api: Client,
    everything: Series,
    device: Device,
    headers: Any,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    shown(api, everything, headers)  # what never changes is read once
    with CaptureQueriesContext(connection) as without:
        shown(api, everything, headers)
    policy = offer_policies.in_force((EVERYBODY, NO_COINS), now=now, holdout=10)
    policies.definition(policy.id)

    with django_assert_max_num_queries(len(without) + 1):
        first = shown(api, everything, headers)
    offer_policies.in_force((EVERYBODY, {"coins": (["coins"], 1)}), now=now)
    with django_assert_max_num_queries(len(without)):
        again = shown(api, everything, headers)

    assert ways(first) == ways(again) == (["ad", "subscription"], 1, "ad")
    assert first["decision_id"] == again["decision_id"]
    kept = OfferDecision.objects.get()
    assert (kept.viewer_id, kept.series_id) == (device.viewer_id, everything.id)
    assert (str(kept.id), kept.episode_id) == (first["decision_id"], episode(everything, 9))
    assert (kept.policy_id, kept.arm and kept.arm.code) == (policy.id, "ad-first")
    assert (kept.is_holdout, kept.encounter, kept.shown) == (False, 1, NO_COINS["ad-first"][0])
    assert kept.propensity_parts_per_billion == 900_000_000
    assert kept.ad_propensity_parts_per_billion == 1_000_000_000


def test_the_holdout_is_shown_everything_and_is_kept_too(
    api: Client, everything: Series, now: datetime
) -> None:
    offer_policies.in_force((EVERYBODY, {"bare": (["coins"], 1)}), now=now, holdout=1)
    held_out = offer_policies.device(held_out=True)

    body = shown(api, everything, viewer_headers(held_out, now=now))

    assert ways(body) == (["coins", "subscription", "ad"], 1, "packs")
    kept = OfferDecision.objects.get(id=body["decision_id"])
    assert (kept.is_holdout, kept.arm_id, kept.rule and kept.rule.name) == (True, None, "Rule 1")
    assert kept.shown == list(DEFAULT)
    assert kept.propensity_parts_per_billion == kept.ad_propensity_parts_per_billion == 10_000_000


def test_rules_know_who_stands_there_and_for_which_time(
    api: Client, everything: Series, device: Device, headers: Any, now: datetime
) -> None:
    offer_policies.in_force(
        ({"payers": ["subscriber"]}, {"was-covered": (["subscription"], 1)}),
        ({"has_enough_coins": True, "encounters_from": 2}, {"rich-again": (["coins"], 1)}),
        ({"has_enough_coins": True, "platforms": ["ios"]}, {"rich": (["coins", "ad"], 1)}),
        ({"payers": ["never_paid"]}, {"new": (["ad"], 1)}),
        now=now,
    )
    newcomer = offer_policies.device()
    former = offer_policies.device()
    buy_pass(former.viewer_id, now=now - timedelta(days=8))
    fund(device.viewer_id, now=now)

    body = shown(api, everything, headers)
    unlock(
        api,
        episode(everything, 9),
        headers,
        quote=body["quote"],
        decision_id=body["decision_id"],
    )
    shown(api, everything, headers)
    for other in (newcomer, former):
        shown(api, everything, viewer_headers(other, now=now))

    met = OfferDecision.objects.order_by("id").values_list("viewer_id", "encounter", "arm__code")
    assert list(met) == [
        (device.viewer_id, 1, "rich"),
        (device.viewer_id, 2, "rich-again"),
        (newcomer.viewer_id, 1, "new"),
        (former.viewer_id, 1, "was-covered"),
    ]
    taken = OfferTaken.objects.get()
    assert (taken.kind, str(taken.decision_id)) == ("unlock", body["decision_id"])


def test_where_nothing_chosen_is_to_be_had_everything_is_shown(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    StoreProductFactory()
    offer_policies.in_force((EVERYBODY, {"ad-only": (["ad"], 1)}), now=now)

    body = shown(api, series, headers)

    assert ways(body) == (["coins"], 1, "packs")
    assert OfferDecision.objects.get(id=body["decision_id"]).shown == ["ad"]


@pytest.mark.parametrize(
    ("mode", "rules", "found", "kept", "chance_of_ad"),
    [
        (
            "ad",
            {"rich": (["coins", "packs"], 1)},
            (["subscription", "ad"], 0, "subscription"),
            [],
            1,
        ),
        ("ad", {"any": (["packs", "ad"], 1)}, (["ad"], 0, "ad"), ["ad"], 1),
        ("paid", {"any": (["ad", "packs"], 1)}, ([], 1, "packs"), ["packs"], 0),
    ],
)
def test_a_title_shows_nothing_that_does_not_open_it(
    api: Client,
    everything: Series,
    headers: Any,
    now: datetime,
    mode: str,
    rules: Any,
    found: Any,
    kept: list[str],
    chance_of_ad: int,
) -> None:
    """Neither in the answer nor in what is kept of it, by which the ad's chance is weighed."""
    Series.objects.filter(id=everything.id).update(access_mode=mode)
    offer_policies.in_force(
        ({"has_enough_coins": True}, {"never": (["subscription"], 1)}),
        (EVERYBODY, rules),
        now=now,
        holdout=1,
    )

    body = shown(api, everything, headers)

    assert ways(body) == found
    decision = OfferDecision.objects.get()
    assert decision.shown == (kept or ["subscription", "ad"])
    assert decision.ad_propensity_parts_per_billion == chance_of_ad * 10**9


def test_an_ad_that_has_to_wait_is_not_the_primary_way(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    placement = PlacementFactory(code="paywall", cooldown_seconds=3600)
    StorePassFactory()
    offer_policies.in_force((EVERYBODY, NO_COINS), now=now)
    seen = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now - MINUTE
    )
    watch(seen, now=now)

    assert ways(shown(api, series, headers)) == (["ad", "subscription"], 0, "subscription")


def test_of_two_at_once_the_first_has_decided(
    everything: Series, device: Device, now: datetime
) -> None:
    offer_policies.in_force((EVERYBODY, NO_COINS), now=now)
    whose: dict[str, Any] = {"viewer_id": device.viewer_id, "environment": "production"}
    stale = paywall.show(**whose, series_id=everything.id, now=now)
    first = offer_choices.decide(paywall.show(**whose, series_id=everything.id, now=now))

    assert first is not None
    assert offer_choices.decide(stale) == first
    assert OfferDecision.objects.get().decided_at == now


def test_what_apps_say_that_a_decision_led_to_is_kept_of_their_own_only(
    api: Client, everything: Series, device: Device, headers: Any, now: datetime
) -> None:
    offer_policies.in_force((EVERYBODY, NO_COINS), now=now)
    stranger = viewer_headers(offer_policies.device(), now=now)
    decision_id = shown(api, everything, headers)["decision_id"]
    pack = StoreProductFactory().pack
    intent = {"pack_id": str(pack.id), "provider": "fake", "decision_id": decision_id}
    session = {
        "placement": "paywall",
        "episode_id": str(episode(everything, 9)),
        "decision_id": decision_id,
    }

    for who in (headers, stranger):
        for url, body in (("purchases/intents", intent), ("ads/sessions", session)):
            assert api.post(f"/v1/{url}", body, "application/json", headers=who).status_code == 201
    resumed = api.post("/v1/ads/sessions", session, "application/json", headers=headers)

    kinds = list(OfferTaken.objects.order_by("kind").values_list("kind", "decision_id"))
    assert kinds == [
        ("ad_session", UUID(decision_id)),
        ("purchase_intent", UUID(decision_id)),
    ]
    assert resumed.status_code == 200


def test_what_has_decided_is_changed_by_nobody(
    everything: Series, device: Device, now: datetime
) -> None:
    policy = offer_policies.in_force((EVERYBODY, NO_COINS), now=now)
    offer_choices.decide(
        paywall.show(
            viewer_id=device.viewer_id, environment="production", series_id=everything.id, now=now
        )
    )

    for rows, change in (
        (OfferPolicy.objects.all(), {"holdout_percent": 9}),
        (OfferPolicy.objects.all(), {"salt": "another"}),
        (OfferPolicy.objects.all(), {"state": "draft", "in_force_at": None}),
        (OfferArm.objects.all(), {"weight": 9}),
        (OfferDecision.objects.all(), {"propensity_parts_per_billion": 5}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError, match="not a draft"), transaction.atomic():
        connection.cursor().execute("DELETE FROM payments_offerarm")
    for holdout in (0, 51):
        with pytest.raises(IntegrityError, match="holds_out"), transaction.atomic():
            offer_policies.draft(holdout=holdout)
    desk.retire(policy_id=policy.id, now=now)
    assert not OfferPolicy.objects.filter(state="in_force").exists()


def test_an_operator_writes_a_policy_looks_at_it_and_puts_it_in_force(now: datetime) -> None:
    client = signed_in(operator(role="pricing"))
    page = "/admin/payments/offerpolicy"
    rule = {
        "position": "1",
        "name": "Newcomers",
        "payers": ["never_paid"],
        "has_enough_coins": "unknown",
        "regions": "br, mx",
        "encounters_to": "3",
        "arms": "ad-first: ad, coins = 3\nno-ad: coins, packs",
    }
    form = {"name": "Ads for newcomers", "holdout_percent": "10", "rules-TOTAL_FORMS": "1"}
    form |= {"rules-INITIAL_FORMS": "0"} | {f"rules-0-{name}": said for name, said in rule.items()}

    assert client.post(f"{page}/add/", form | {"holdout_percent": "0"}).status_code == 200
    wrong = client.post(f"{page}/add/", form | {"rules-0-arms": "x: gold"})
    assert "is none of coins" in wrong.content.decode()
    assert client.post(f"{page}/add/", form).status_code == 302
    policy = OfferPolicy.objects.get()
    preview = client.get(f"{page}/{policy.id}/change/")
    assert [example.rule for example in preview.context["examples"]] == ["no rule fits"] * 3
    assert client.post(f"{page}/{policy.id}/put/").status_code == 302
    assert client.post(f"{page}/{policy.id}/copy/").status_code == 302

    policy.refresh_from_db()
    (kept,) = policy.rules.all()
    assert (policy.state, kept.regions, kept.encounters_to) == ("in_force", ["BR", "MX"], 3)
    assert [(arm.code, arm.shown, arm.weight) for arm in kept.arms.all()] == [
        ("ad-first", ["ad", "coins"], 3),
        ("no-ad", ["coins", "packs"], 1),
    ]
    copied = OfferPolicy.objects.get(state="draft")
    assert copied.salt != policy.salt
    assert copied.rules.get().arms.count() == 2
    assert client.post(f"{page}/{policy.id}/change/", form).status_code == 403
    assert client.get(f"{page}/{policy.id}/change/").status_code == 200
    assert client.get("/admin/payments/offerdecision/").status_code == 200
