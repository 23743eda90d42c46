"""What an offer promises, to whom, until when, and what is granted for what was paid."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from payments.access import paywall
from payments.models import (
    CoinPack,
    Lot,
    Offer,
    OfferClaim,
    OfferKind,
    Purchase,
    PurchaseIntent,
    StoreProduct,
)
from payments.store import offer_claims
from tests.factories.payments import (
    PAST,
    CoinPackFactory,
    OfferFactory,
    StoreProductFactory,
    as_owner,
    buy_pass,
    fund,
    signed_sale,
)
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import refund, submit
from viewers.models import Device

HOLD, GRACE = timedelta(minutes=15), timedelta(minutes=15)
INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _times(settings: Settings) -> None:
    settings.OFFER_HOLD_SECONDS = int(HOLD.total_seconds())
    settings.OFFER_GRACE_SECONDS = int(GRACE.total_seconds())


@pytest.fixture
def product() -> StoreProduct:
    return StoreProductFactory(pack__paid_coins=1000, pack__bonus_coins=50)


@pytest.fixture
def offer(product: StoreProduct) -> Offer:
    return OfferFactory(pack=product.pack, bonus_coins=300)


@pytest.fixture
def first(product: StoreProduct) -> Offer:
    return OfferFactory(pack=product.pack, kind=OfferKind.FIRST_TOP_UP, bonus_coins=1000)


def announce(
    api: Client, offer: Offer, device: Device, now: datetime, **changes: Any
) -> HttpResponse:
    """POST /v1/purchases/intents under an offer."""
    body = {"pack_id": str(offer.pack_id), "provider": "fake", "offer_id": str(offer.id)}
    return api.post(
        "/v1/purchases/intents",
        body | changes,
        "application/json",
        headers=viewer_headers(device, now=now),
    )


def buy(
    api: Client,
    device: Device,
    intent: HttpResponse,
    *,
    paid: datetime,
    heard: datetime | None = None,
    **sale: Any,
) -> Any:
    """What handing in a payment is answered that was made at one moment and heard of at another."""
    told = intent.json()
    product = StoreProduct.objects.get(store_product_id=told["store_product_id"])
    signed = signed_sale(
        product, viewer_id=device.viewer_id, now=paid, intent_id=told["intent_id"], **sale
    )
    answer = submit(api, viewer_headers(device, now=heard or paid), signed)
    assert answer.status_code == 201, answer.content
    return answer.json()


def listed(api: Client, device: Device, now: datetime) -> list[dict[str, Any]]:
    answer = api.get("/v1/offers", headers=viewer_headers(device, now=now))
    found: list[dict[str, Any]] = answer.json()["offers"]
    return found


def taken(offer: Offer) -> int:
    offer.refresh_from_db()
    return offer.taken_count


def code(answer: HttpResponse) -> str:
    found: str = answer.json()["code"]
    return found


def test_what_was_announced_under_an_offer_is_credited_with_its_bonus(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, offer, device, now)

    assert intent.status_code == 201
    told = intent.json()
    assert told["offer"]["bonus_coins"] == 300
    assert told["offer"]["normal_bonus_coins"] == 50
    assert datetime.fromisoformat(told["held_until"]) == now + HOLD

    bought = buy(api, device, intent, paid=now)

    assert (bought["paid_coins"], bought["bonus_coins"]) == (1000, 300)
    assert bought["offer"] == {
        "offer_id": str(offer.id),
        "code": offer.code,
        "bonus_coins": 300,
        "granted": True,
    }
    claim = OfferClaim.objects.get()
    assert (claim.state, claim.purchase, claim.settled_at) == ("used", Purchase.objects.get(), now)
    assert taken(offer) == 1


def test_the_price_is_spread_over_the_bonus_of_the_offer_too(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    buy(api, device, announce(api, offer, device, now), paid=now)

    values = dict(Lot.objects.values_list("kind", "value_micros"))
    assert values == {"paid": 4_990_000 * 1000 // 1300, "bonus": 1_151_539}


def test_a_purchase_without_an_offer_says_so_and_grants_the_packs_own_bonus(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, offer, device, now, offer_id=None)
    assert intent.json()["held_until"] is None
    assert intent.json()["offer"]["kind"] == "pack"

    bought = buy(api, device, intent, paid=now)

    assert (bought["bonus_coins"], bought["offer"]) == (50, None)
    assert not OfferClaim.objects.exists()


def test_the_same_transaction_again_is_answered_the_same_and_takes_no_second_place(
    api: Client, offer: Offer, product: StoreProduct, device: Device, now: datetime
) -> None:
    told = announce(api, offer, device, now).json()
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, intent_id=told["intent_id"])
    first, again = (submit(api, viewer_headers(device, now=now), signed) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"credited_now": False}
    assert taken(offer) == 1


def test_the_bonus_is_the_one_that_was_promised_whatever_an_operator_does_meanwhile(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, offer, device, now)
    Offer.objects.update(bonus_coins=10, is_active=False)
    CoinPack.objects.update(bonus_coins=20, is_active=False)

    assert buy(api, device, intent, paid=now + HOLD - INSTANT)["bonus_coins"] == 300


# --- Who may have it, and when ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"starts_at": PAST + timedelta(days=365)}, "offer_not_yet"),
        ({"ends_at": PAST + timedelta(days=1)}, "offer_over"),
        ({"is_active": False}, "offer_over"),
        ({"stock": 1, "taken": 1}, "offer_sold_out"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_offer_that_cannot_be_had_is_refused_and_not_listed(
    api: Client,
    offer: Offer,
    device: Device,
    now: datetime,
    changes: dict[str, Any],
    refusal: str,
) -> None:
    is_taken = changes.pop("taken", 0)
    Offer.objects.update(**changes)
    if is_taken:
        announce(api, offer, DeviceFactory(), now)
    before = OfferClaim.objects.count()

    answer = announce(api, offer, device, now)

    assert code(answer) == refusal
    assert answer.status_code == 409
    assert (OfferClaim.objects.count(), PurchaseIntent.objects.count()) == (before, before)
    assert [item["kind"] for item in listed(api, device, now)] == ["pack"]


def test_an_offer_begins_and_ends_to_the_microsecond(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(starts_at=now, ends_at=now + timedelta(hours=1))
    end = now + timedelta(hours=1)

    assert code(announce(api, offer, device, now - INSTANT)) == "offer_not_yet"
    assert announce(api, offer, device, now).status_code == 201
    assert announce(api, offer, DeviceFactory(), end - INSTANT).status_code == 201
    assert code(announce(api, offer, DeviceFactory(), end)) == "offer_over"


@pytest.mark.parametrize("changes", [{"offer_id": str(uuid4())}, {"pack_id": str(uuid4())}])
def test_an_offer_that_is_none_of_this_pack_is_unknown_and_keeps_no_place(
    api: Client, offer: Offer, device: Device, now: datetime, changes: dict[str, str]
) -> None:
    answer = announce(api, offer, device, now, **changes)

    assert (answer.status_code, code(answer)) == (422, "offer_unknown")
    assert not OfferClaim.objects.exists()
    assert taken(offer) == 0


def test_a_pack_that_this_store_does_not_sell_keeps_no_place(
    api: Client, device: Device, now: datetime
) -> None:
    offer = OfferFactory(pack=CoinPackFactory())

    assert code(announce(api, offer, device, now)) == "product_unknown"
    assert taken(offer) == 0


def test_a_hidden_pack_is_sold_under_its_offer_alone(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    CoinPack.objects.update(is_active=False)

    assert [item["offer_id"] for item in listed(api, device, now)] == [str(offer.id)]
    assert code(announce(api, offer, device, now, offer_id=None)) == "product_unknown"
    assert buy(api, device, announce(api, offer, device, now), paid=now)["bonus_coins"] == 300
    assert listed(api, device, now) == []


def test_a_viewer_has_an_offer_as_often_as_one_viewer_may(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(per_viewer_limit=2)
    for _ in range(2):
        intent = announce(api, offer, device, now)
        assert buy(api, device, intent, paid=now)["offer"]["granted"]

    assert code(announce(api, offer, device, now)) == "offer_used"
    assert [item["kind"] for item in listed(api, device, now)] == ["pack"]
    assert announce(api, offer, DeviceFactory(), now).status_code == 201


def test_a_refused_offer_stays_refused_for_its_key(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(is_active=False)
    headers = viewer_headers(device, now=now) | {"Idempotency-Key": "a"}
    body = {"pack_id": str(offer.pack_id), "provider": "fake", "offer_id": str(offer.id)}
    first = api.post("/v1/purchases/intents", body, "application/json", headers=headers)
    Offer.objects.update(is_active=True)

    again = api.post("/v1/purchases/intents", body, "application/json", headers=headers)

    assert (first.status_code, again.status_code) == (409, 409)
    assert again.content == first.content
    assert not OfferClaim.objects.exists()


# --- A place is kept ---------------------------------------------------------------------------


def test_a_client_that_asks_again_keeps_its_place_for_longer(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    intents = [announce(api, offer, device, now + timedelta(minutes=m)) for m in (0, 10)]

    until = datetime.fromisoformat(intents[1].json()["held_until"])
    assert until == now + timedelta(minutes=10) + HOLD
    assert (OfferClaim.objects.count(), taken(offer)) == (1, 1)
    assert intents[0].json()["intent_id"] != intents[1].json()["intent_id"]


def held_until(intent: HttpResponse) -> datetime:
    return datetime.fromisoformat(intent.json()["held_until"])


def test_a_place_is_kept_for_four_holds_at_most_however_often_it_is_asked_for(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    for minutes in range(0, 60, 10):
        intent = announce(api, offer, device, now + timedelta(minutes=minutes))
        assert held_until(intent) == now + min(timedelta(minutes=minutes) + HOLD, 4 * HOLD)
    other = DeviceFactory()

    over = now + 4 * HOLD
    assert code(announce(api, offer, device, over)) == "offer_sold_out"
    assert code(announce(api, offer, other, over + GRACE - INSTANT)) == "offer_sold_out"
    assert buy(api, device, intent, paid=over - INSTANT, heard=over)["offer"]["granted"]


def test_a_place_that_was_kept_as_long_as_may_be_goes_to_whoever_comes_next(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    for minutes in range(0, 60, 10):
        announce(api, offer, device, now + timedelta(minutes=minutes))
    free_again = now + 4 * HOLD + GRACE

    assert announce(api, offer, DeviceFactory(), free_again).status_code == 201
    assert code(announce(api, offer, device, free_again)) == "offer_sold_out"


def test_who_has_kept_a_place_as_long_as_may_be_takes_another_if_one_is_left(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=3)
    for minutes in range(0, 60, 10):
        announce(api, offer, device, now + timedelta(minutes=minutes))
    lapsing = DeviceFactory()
    announce(api, offer, lapsing, now + timedelta(minutes=15))
    announce(api, offer, DeviceFactory(), now + timedelta(minutes=50))

    again = announce(api, offer, device, now + 4 * HOLD)

    assert held_until(again) == now + 5 * HOLD
    states = OfferClaim.objects.filter(viewer_id=device.viewer_id).order_by("id")
    assert list(states.values_list("state", flat=True)) == ["released", "held"]
    assert taken(offer) == 2


@pytest.mark.parametrize("used", [0, 1])
def test_whichever_of_its_intents_is_paid_gets_the_offer_and_the_other_does_not(
    api: Client, offer: Offer, device: Device, now: datetime, used: int
) -> None:
    intents = [announce(api, offer, device, now) for _ in range(2)]

    granted = buy(api, device, intents[used], paid=now)
    ordinary = buy(api, device, intents[1 - used], paid=now)

    assert (granted["bonus_coins"], granted["offer"]["granted"]) == (300, True)
    assert (ordinary["bonus_coins"], ordinary["offer"]["granted"]) == (50, False)
    assert taken(offer) == 1


def test_a_retry_after_the_offers_end_keeps_the_place_but_no_longer(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(ends_at=now + timedelta(minutes=5))
    announce(api, offer, device, now)

    again = announce(api, offer, device, now + timedelta(minutes=6))

    assert datetime.fromisoformat(again.json()["held_until"]) == now + HOLD
    assert code(announce(api, offer, device, now + HOLD)) == "offer_over"


def test_a_raised_bonus_is_the_viewers_who_asks_again_and_a_lowered_one_is_not(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    announce(api, offer, device, now)
    Offer.objects.update(bonus_coins=400)
    assert announce(api, offer, device, now).json()["offer"]["bonus_coins"] == 400
    Offer.objects.update(bonus_coins=60)
    assert announce(api, offer, device, now).json()["offer"]["bonus_coins"] == 400


def test_nobody_else_gets_a_place_before_the_grace_is_over(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    announce(api, offer, device, now)
    other = DeviceFactory()

    assert code(announce(api, offer, other, now + HOLD + GRACE - INSTANT)) == "offer_sold_out"
    assert announce(api, offer, other, now + HOLD + GRACE).status_code == 201
    states = OfferClaim.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["released", "held"]
    assert taken(offer) == 1


def test_the_sweeper_gives_back_places_that_nobody_paid_for(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=2)
    announce(api, offer, device, now)

    assert offer_claims.release(now=now + HOLD + GRACE - INSTANT) == 0
    assert offer_claims.release(now=now + HOLD + GRACE) == 1
    assert offer_claims.release(now=now + HOLD + GRACE) == 0
    assert taken(offer) == 0


# --- Paid, and heard of later ------------------------------------------------------------------


def test_what_was_paid_in_time_is_granted_while_the_place_is_kept_however_late_it_is_heard_of(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1, ends_at=now + timedelta(minutes=1))
    intent = announce(api, offer, device, now)

    bought = buy(
        api, device, intent, paid=now + HOLD - INSTANT * 1000, heard=now + timedelta(days=3)
    )

    assert bought["offer"]["granted"]


def test_what_was_paid_in_time_takes_a_place_anew_if_one_is_left(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1, ends_at=now + timedelta(minutes=1))
    intent = announce(api, offer, device, now)
    offer_claims.release(now=now + HOLD + GRACE)

    bought = buy(api, device, intent, paid=now, heard=now + timedelta(days=1))

    assert bought["bonus_coins"] == 300
    assert taken(offer) == 1


def test_what_was_paid_in_time_but_heard_of_after_others_took_it_is_credited_as_usual(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    intent, later = announce(api, offer, device, now), now + HOLD + GRACE
    announce(api, offer, DeviceFactory(), later)

    bought = buy(api, device, intent, paid=now, heard=later)

    assert (bought["coins"], bought["bonus_coins"]) == (1050, 50)
    assert bought["offer"]["granted"] is False
    assert taken(offer) == 1


def test_what_was_paid_late_is_granted_while_the_offer_is_on_and_a_place_is_left(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    intent, late = announce(api, offer, device, now), now + HOLD + GRACE + timedelta(days=1)
    offer_claims.release(now=late)

    assert buy(api, device, intent, paid=late)["offer"]["granted"]
    assert taken(offer) == 1


def test_what_was_paid_late_when_the_offer_was_over_is_credited_as_usual(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1, ends_at=now + timedelta(minutes=1))
    intent = announce(api, offer, device, now)

    bought = buy(api, device, intent, paid=now + HOLD)

    assert (bought["bonus_coins"], bought["offer"]["granted"]) == (50, False)
    assert OfferClaim.objects.get().state == "released"
    assert taken(offer) == 0


def test_a_sale_in_another_environment_takes_no_place_and_leaves_the_promise(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, offer, device, now)

    bought = buy(api, device, intent, paid=now, environment="sandbox")

    assert (bought["bonus_coins"], bought["offer"]["granted"]) == (50, False)
    assert OfferClaim.objects.get().state == "held"


def test_testers_have_a_stock_of_their_own(api: Client, offer: Offer, now: datetime) -> None:
    Offer.objects.update(stock=1)
    tester, viewer = DeviceFactory(viewer__environment="sandbox"), DeviceFactory()
    bought = buy(api, tester, announce(api, offer, tester, now), paid=now, environment="sandbox")

    assert bought["offer"]["granted"]
    (shown,) = listed(api, viewer, now)
    assert shown["stock_left"] == 1
    assert announce(api, offer, viewer, now).status_code == 201
    offer.refresh_from_db()
    assert (offer.taken_count, offer.sandbox_taken_count) == (1, 1)


# --- The first top-up --------------------------------------------------------------------------


def test_a_viewer_who_has_bought_before_has_no_first_top_up(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now)

    assert code(announce(api, first, device, now)) == "offer_used"
    assert {item["kind"] for item in listed(api, device, now)} == {"pack"}


def test_a_viewer_who_has_bought_passes_alone_still_has_their_first_top_up(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    buy_pass(device.viewer_id, now=now)

    assert [item["kind"] for item in listed(api, device, now)] == ["first_top_up"]
    assert buy(api, device, announce(api, first, device, now), paid=now)["bonus_coins"] == 1000


def test_a_refund_does_not_give_the_first_top_up_back(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    assert buy(api, device, announce(api, first, device, now), paid=now)["bonus_coins"] == 1000
    refund(Purchase.objects.get(), now=now)

    assert code(announce(api, first, device, now)) == "offer_used"
    assert OfferClaim.objects.get().state == "used"
    assert [item["kind"] for item in listed(api, device, now)] == ["pack"]


def test_a_purchase_in_the_sandbox_leaves_the_first_top_up_in_production(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now, environment="sandbox")

    assert announce(api, first, device, now).status_code == 201


def test_another_first_top_up_gives_the_earlier_place_back(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    other = OfferFactory(kind=OfferKind.FIRST_TOP_UP, bonus_coins=500)
    announce(api, first, device, now)

    assert announce(api, other, device, now).status_code == 201

    assert (taken(first), taken(other)) == (0, 1)
    assert dict(OfferClaim.objects.values_list("offer_id", "state")) == {
        first.id: "released",
        other.id: "held",
    }


def test_of_two_first_top_ups_the_first_to_be_paid_is_it(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    other = OfferFactory(kind=OfferKind.FIRST_TOP_UP, bonus_coins=500)
    intents = [announce(api, each, device, now) for each in (first, other)]

    granted = buy(api, device, intents[0], paid=now)
    ordinary = buy(api, device, intents[1], paid=now)

    assert (granted["bonus_coins"], granted["offer"]["granted"]) == (1000, True)
    assert (ordinary["bonus_coins"], ordinary["offer"]["granted"]) == (0, False)
    assert (taken(first), taken(other)) == (1, 0)


def test_a_first_top_up_that_was_promised_holds_though_something_else_was_bought_meanwhile(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, first, device, now)
    fund(device.viewer_id, now=now)

    assert buy(api, device, intent, paid=now)["offer"]["granted"]


def test_a_first_top_up_that_was_promised_is_kept_no_longer_once_something_else_was_bought(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, first, device, now)
    fund(device.viewer_id, now=now)

    assert held_until(announce(api, first, device, now + timedelta(minutes=5))) == now + HOLD
    assert code(announce(api, first, device, now + HOLD)) == "offer_used"
    paid = buy(api, device, intent, paid=now + HOLD - INSTANT, heard=now + HOLD)
    assert paid["offer"]["granted"]


def test_a_lapsed_first_top_up_is_gone_once_something_else_was_bought(
    api: Client, first: Offer, device: Device, now: datetime
) -> None:
    intent = announce(api, first, device, now)
    offer_claims.release(now=now + HOLD + GRACE)
    fund(device.viewer_id, now=now)

    assert not buy(api, device, intent, paid=now + HOLD + GRACE)["offer"]["granted"]


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_refuses_a_second_first_top_up(
    client: Client, now: datetime, product: StoreProduct
) -> None:
    device = DeviceFactory()
    offer = OfferFactory(pack=product.pack, kind=OfferKind.FIRST_TOP_UP)
    other = OfferFactory(pack=product.pack, kind=OfferKind.FIRST_TOP_UP)
    announce(client, offer, device, now)

    refused = pytest.raises(IntegrityError, match="one_first_top_up")
    with refused, transaction.atomic(), as_owner() as cursor:
        cursor.execute(
            "INSERT INTO payments_offerclaim (id, offer_id, viewer_id, environment, kind,"
            " bonus_coins, state, held_until, kept_until, created_at)"
            " SELECT uuidv7(), %s, viewer_id, environment, kind, bonus_coins, state, held_until,"
            " kept_until, created_at FROM payments_offerclaim",
            [other.id],
        )


# --- What is listed ----------------------------------------------------------------------------


def test_an_offer_stands_in_the_place_of_its_pack(
    api: Client, offer: Offer, product: StoreProduct, device: Device, now: datetime
) -> None:
    end = now + timedelta(hours=3)
    Offer.objects.update(stock=7, ends_at=end, position=2)
    other = StoreProductFactory(pack__position=1).pack

    answer = api.get("/v1/offers", headers=viewer_headers(device, now=now))

    assert answer.headers["Cache-Control"] == "no-store"
    plain, shown = answer.json()["offers"]
    assert (plain["pack_id"], plain["offer_id"], plain["kind"]) == (str(other.id), None, "pack")
    assert (plain["ends_at"], plain["stock_left"]) == (None, None)
    assert shown == {
        "pack_id": str(offer.pack_id),
        "offer_id": str(offer.id),
        "kind": "limited",
        "code": offer.code,
        "title": offer.title,
        "coins": 1300,
        "paid_coins": 1000,
        "bonus_coins": 300,
        "normal_bonus_coins": 50,
        "ends_at": end.isoformat().replace("+00:00", "Z"),
        "stock_left": 7,
        "price": {"amount_micros": 4_990_000, "currency": "USD"},
        "store_products": {"fake": product.store_product_id},
    }


def test_a_pack_is_listed_by_its_latest_name_in_a_store(
    api: Client, product: StoreProduct, device: Device, now: datetime
) -> None:
    CoinPackFactory(position=1)
    for name in ("coins.v2", "coins.v1"):
        StoreProductFactory(pack=product.pack, store_product_id=name)

    names = [item["store_products"] for item in listed(api, device, now)]

    assert names == [{"fake": "coins.v1"}, {}]


def test_of_several_offers_on_a_pack_the_best_for_this_viewer_is_listed(
    api: Client, offer: Offer, first: Offer, device: Device, now: datetime
) -> None:
    assert [item["offer_id"] for item in listed(api, device, now)] == [str(first.id)]

    fund(device.viewer_id, now=now)

    shown = {item["pack_id"]: item["offer_id"] for item in listed(api, device, now)}
    assert shown[str(offer.pack_id)] == str(offer.id)


def test_an_offer_that_gives_no_more_than_its_pack_is_not_listed(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    CoinPack.objects.update(bonus_coins=300)

    assert [item["kind"] for item in listed(api, device, now)] == ["pack"]


def test_whoever_holds_the_last_one_still_sees_it_and_others_do_not(
    api: Client, offer: Offer, device: Device, now: datetime
) -> None:
    Offer.objects.update(stock=1)
    announce(api, offer, device, now)

    assert [item["kind"] for item in listed(api, device, now)] == ["limited"]
    assert [item["kind"] for item in listed(api, DeviceFactory(), now)] == ["pack"]


def test_the_list_costs_the_same_few_queries_however_much_there_is(
    api: Client,
    offer: Offer,
    first: Offer,
    device: Device,
    now: datetime,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    headers = viewer_headers(device, now=now)
    for number in (1, 12):
        for _ in range(number):
            OfferFactory()
        with django_assert_num_queries(2):
            api.get("/v1/offers", headers=headers)


def test_the_offers_that_close_a_gap_are_the_viewers_own(
    api: Client, offer: Offer, device: Device, series: Any, now: datetime
) -> None:
    shown = paywall.show(
        viewer_id=device.viewer_id, environment="production", series_id=series.id, now=now
    )
    (helping,) = shown.helpful_packs()
    assert (helping.offer, helping.coins) == (offer, 1300)

    answer = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=now))
    assert answer.json()["offers"][0]["offer_id"] == str(offer.id)

    quote = shown.quote.token()
    locked = series.episodes.get(number=9).id
    refused = api.post(
        f"/v1/episodes/{locked}/unlock",
        {"quote": quote},
        "application/json",
        headers=viewer_headers(device, now=now),
    )
    assert refused.status_code == 402
    assert refused.json()["offers"][0]["offer_id"] == str(offer.id)


# --- What no offer can be ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"bonus_coins": 0},
        {"bonus_coins": 10_000_001},
        {"bonus_coins": -1},
        {"stock": 0},
        {"stock": -1},
        {"stock": 10_000_001},
        {"per_viewer_limit": 0},
        {"per_viewer_limit": 1001},
        {"kind": "first_top_up", "per_viewer_limit": 2},
        {"kind": "gift"},
        {"ends_at": PAST},
        {"taken_count": 6, "stock": 5},
    ],
    ids=str,
)
def test_the_database_refuses_what_no_offer_can_be(
    product: StoreProduct, changes: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        OfferFactory(pack=product.pack, **changes)


@pytest.mark.parametrize("value", [1, True, "all", "", [], {}, "0" * 32 + "x"], ids=repr)
def test_an_offer_id_that_is_none_is_refused_and_keeps_no_place(
    api: Client, offer: Offer, device: Device, now: datetime, value: Any
) -> None:
    answer = announce(api, offer, device, now, offer_id=value)

    assert (answer.status_code, code(answer)) == (400, "malformed_body")
    assert not OfferClaim.objects.exists()
