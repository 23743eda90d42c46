"""GET /v1/placements/{code}: the server decides what a place in the app shows, and to whom."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from catalog.models import Series
from payments.access import segments
from payments.desk import links
from payments.models import OfferKind, PlacementRule, Segment
from payments.models.placements import MAXIMUM_CONFIG_BYTES, validate_config
from tests.factories.payments import (
    AcquisitionLinkFactory,
    CoinPackFactory,
    OfferFactory,
    PaywallPlacementFactory,
    buy_pass,
    fund,
    give_bonus,
)
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device

DAY = timedelta(days=1)


def asked(api: Client, code: str, device: Device, now: datetime) -> dict[str, Any]:
    answer = api.get(f"/v1/placements/{code}", headers=viewer_headers(device, now=now))
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def rule(placement: Any, position: int, **said: Any) -> PlacementRule:
    config = {"rule": position}
    return PlacementRule.objects.create(
        placement=placement, position=position, name=f"Rule {position}", config=config, **said
    )


def segment_of(device: Device, at: datetime) -> Segment:
    return segments.audience_of(viewer_id=device.viewer_id, environment="production", at=at).segment


def test_shows_the_placements_own_configuration_where_no_rule_fits(
    api: Client, device: Device, now: datetime
) -> None:
    placement = PaywallPlacementFactory(code="paywall", config={"layout": "sheet", "days": [1, 2]})
    rule(placement, 1, regions=["BR"])

    assert asked(api, "paywall", device, now) == {
        "code": "paywall",
        "segment": "other",
        "rule_id": None,
        "config": {"layout": "sheet", "days": [1, 2]},
    }


def test_the_first_rule_that_fits_counts(api: Client, now: datetime) -> None:
    placement = PaywallPlacementFactory(code="paywall")
    viewer = DeviceFactory(viewer__region="BR", platform="web", viewer__created_at=now)
    rule(placement, 1, regions=["BR"], platforms=["ios"])
    rule(placement, 2, segments=["spender", "lapsed"])
    wanted = rule(placement, 3, segments=["new"], regions=["MX", "BR"])
    rule(placement, 4, regions=["BR"])

    answer = asked(api, "paywall", viewer, now)

    assert (answer["rule_id"], answer["config"]) == (str(wanted.id), {"rule": 3})


def test_a_rule_that_is_switched_off_or_not_on_at_the_moment_fits_nobody(
    api: Client, device: Device, now: datetime
) -> None:
    placement = PaywallPlacementFactory(code="paywall")
    rule(placement, 1, segments=["other"], is_active=False)
    rule(placement, 2, starts_at=now + DAY)
    rule(placement, 3, ends_at=now)
    wanted = rule(placement, 4, starts_at=now, ends_at=now + DAY)

    assert asked(api, "paywall", device, now)["rule_id"] == str(wanted.id)


def test_a_rule_about_a_link_is_for_those_who_came_by_it(
    api: Client, device: Device, series: Series, now: datetime
) -> None:
    placement = PaywallPlacementFactory(code="paywall")
    link = AcquisitionLinkFactory(series=series, code="tiktok-7")
    wanted = rule(placement, 1, link=link)
    assert asked(api, "paywall", device, now)["rule_id"] is None

    links.arrive(viewer_id=device.viewer_id, code="tiktok-7", now=now)

    assert asked(api, "paywall", device, now)["rule_id"] == str(wanted.id)
    assert asked(api, "paywall", DeviceFactory(), now)["rule_id"] is None


def test_a_viewer_is_new_for_a_week_and_then_just_somebody_who_never_paid(now: datetime) -> None:
    viewer = DeviceFactory(viewer__created_at=now)

    assert segment_of(viewer, now + 6 * DAY) == Segment.NEW
    assert segment_of(viewer, now + 7 * DAY) == Segment.OTHER


def test_a_viewer_who_paid_spends_until_a_month_without_buying_or_spending(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now - 20 * DAY, paid=500)
    assert segment_of(device, now) == Segment.SPENDER
    assert segment_of(device, now + 10 * DAY) == Segment.LAPSED

    unlock(api, episode(series, 9), headers, quote=quote)

    assert segment_of(device, now + 29 * DAY) == Segment.SPENDER
    assert segment_of(device, now + 30 * DAY) == Segment.LAPSED


def test_coins_that_were_given_make_nobody_a_spender(device: Device, now: datetime) -> None:
    give_bonus(device.viewer_id, coins=100, now=now)

    assert segment_of(device, now) == Segment.OTHER


def test_sandbox_money_makes_nobody_a_spender_in_production(device: Device, now: datetime) -> None:
    fund(device.viewer_id, now=now, environment="sandbox")

    assert segment_of(device, now) == Segment.OTHER


@pytest.mark.parametrize("code", ["nowhere", "off"])
def test_a_placement_that_is_unknown_or_switched_off_is_not_found(
    api: Client, headers: Any, code: str, db: None
) -> None:
    PaywallPlacementFactory(code="off", is_active=False)

    answer = api.get(f"/v1/placements/{code}", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_takes_the_same_number_of_queries_however_many_rules_there_are(
    api: Client, device: Device, now: datetime, django_assert_num_queries: Any
) -> None:
    placement = PaywallPlacementFactory(code="paywall")
    for position in range(30):
        rule(placement, position, regions=["BR"])
    headers = viewer_headers(device, now=now)

    with django_assert_num_queries(3):
        assert api.get("/v1/placements/paywall", headers=headers).status_code == 200


def test_offers_are_those_that_the_placement_names_for_this_viewer(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    for code, position in (("purse", 1), ("chest", 2), ("vault", 3)):
        CoinPackFactory(code=code, position=position)
    placement = PaywallPlacementFactory(code="paywall", config={"offers": ["vault", "purse"]})
    rule(placement, 1, segments=["spender"])
    PlacementRule.objects.update(config={"offers": ["gone", "chest"]})
    PaywallPlacementFactory(code="empty", config={"offers": ["gone"]})

    def codes(placement: str) -> list[str]:
        answer = api.get("/v1/offers", {"placement": placement}, headers=headers)
        return [offer["code"] for offer in answer.json()["offers"]]

    assert codes("paywall") == ["vault", "purse"]
    assert codes("empty") == codes("nowhere") == codes("") == ["purse", "chest", "vault"]
    pack = fund(device.viewer_id, now=now).pack
    pack.is_active = False
    pack.save()
    assert codes("paywall") == ["chest"]


def test_a_pack_that_a_placement_names_is_shown_under_the_offer_in_its_place(
    api: Client, device: Device, headers: Any
) -> None:
    purse, _ = CoinPackFactory(code="purse", position=1), CoinPackFactory(code="chest", position=2)
    PaywallPlacementFactory(code="packs", config={"offers": ["chest", "purse"]})
    PaywallPlacementFactory(code="both", config={"offers": ["first", "chest", "purse"]})
    OfferFactory(pack=purse, code="first", kind=OfferKind.FIRST_TOP_UP, bonus_coins=300)

    def codes(placement: str) -> list[str]:
        answer = api.get("/v1/offers", {"placement": placement}, headers=headers)
        return [offer["code"] for offer in answer.json()["offers"]]

    assert codes("packs") == ["chest", "first"]
    assert codes("both") == ["first", "chest"]


@pytest.mark.parametrize(
    "value",
    [[], "sheet", None, 7, {"offers": [1]}, {"offers": "purse"}, {"a": "x" * MAXIMUM_CONFIG_BYTES}],
)
def test_a_configuration_is_a_json_object_of_moderate_length(value: Any) -> None:
    with pytest.raises(Exception, match=r"JSON object|bytes long|by their codes"):
        validate_config(value)


@pytest.mark.parametrize(
    "text",
    [
        r'{"a": "\u0000"}',
        r'{"a": [{"b": "\\\u0000"}]}',
        r'{"\u0000": 1}',
        r'{"a": "\ud800"}',
        '{"a": NaN}',
        '{"a": [1e999]}',
        '{"a": -Infinity}',
    ],
)
def test_a_configuration_holds_nothing_that_cannot_be_kept_or_sent(text: str) -> None:
    with pytest.raises(ValidationError, match="Write no NUL characters"):
        validate_config(json.loads(text))


def test_a_configuration_may_speak_of_what_it_does_not_hold() -> None:
    validate_config(json.loads(r'{"a": "\\u0000", "b": "\ud83d\ude00", "c": 1e300, "NaN": "NaN"}'))


def test_who_has_bought_passes_alone_has_paid(device: Device, now: datetime) -> None:
    bought_at = now - 20 * DAY
    buy_pass(device.viewer_id, now=bought_at)
    buy_pass(DeviceFactory().viewer_id, now=now)
    sandboxed = DeviceFactory()
    buy_pass(sandboxed.viewer_id, now=bought_at, environment="sandbox")

    assert segment_of(device, bought_at - DAY) is not Segment.SPENDER
    assert segment_of(device, now) is Segment.SPENDER
    assert segment_of(device, bought_at + 30 * DAY) is Segment.LAPSED
    assert segment_of(sandboxed, now) is not Segment.SPENDER


def test_a_pass_bought_since_the_last_coins_makes_a_spender_again(
    device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now - 40 * DAY)
    assert segment_of(device, now) is Segment.LAPSED

    buy_pass(device.viewer_id, now=now - DAY)

    assert segment_of(device, now) is Segment.SPENDER


def test_a_rule_for_everybody_always_is_refused(db: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(PaywallPlacementFactory(), 1)
