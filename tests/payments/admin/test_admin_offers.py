"""Operators make offers and promo codes; what no viewer could be promised is refused with a reason."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from payments.desk import promos
from payments.models import (
    CoinPack,
    Offer,
    OfferClaim,
    OfferKind,
    PromoBatch,
    PromoCode,
    PromoRedemption,
)
from payments.store import promo_codes, purchases
from tests.factories.operators import operator, signed_in
from tests.factories.payments import OfferFactory, PromoCodeFactory, StoreProductFactory
from tests.factories.viewers import DeviceFactory, clock_headers

OFFERS = "/admin/payments/offer/"
CODES = "/admin/payments/promocode/"
BATCHES = "/admin/payments/promobatch/"


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="pricing"))


@pytest.fixture
def pack(db: None) -> CoinPack:
    found: CoinPack = StoreProductFactory(pack__bonus_coins=50).pack
    return found


def complaints(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["errors"])


def moments(starts_at: str = "2026-03-01", ends_at: str = "") -> dict[str, str]:
    return {
        "starts_at_0": starts_at,
        "starts_at_1": "00:00",
        "ends_at_0": ends_at,
        "ends_at_1": "00:00" if ends_at else "",
    }


def offer_form(pack: CoinPack, **changes: Any) -> dict[str, Any]:
    """What the page posts for a new offer."""
    return {
        "title": "The weekend",
        "code": "weekend",
        "kind": "limited",
        "pack": pack.id,
        "bonus_coins": 300,
        "stock": 500,
        "per_viewer_limit": 1,
        "is_active": "on",
        "position": 0,
        **moments(ends_at="2026-04-01"),
    } | changes


def code_form(**changes: Any) -> dict[str, Any]:
    return {
        "code": "premiere-2026",
        "name": "The premiere",
        "bonus_coins": 50,
        "lapse_after_days": 30,
        "maximum_redemptions": 1000,
        "is_active": "on",
        **moments(),
    } | changes


def batch_form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Fair in Cannes",
        "code_count": 3,
        "prefix": "fair",
        "bonus_coins": 50,
        "lapse_after_days": "",
        **moments(),
    } | changes


def sell(offer: Offer, now: datetime) -> None:
    """Keeps a place of it for somebody."""
    purchases.create_intent(
        viewer_id=DeviceFactory().viewer_id,
        environment="production",
        pack_id=offer.pack_id,
        offer_id=offer.id,
        provider="fake",
        now=now,
    )


def test_makes_an_offer(client: Client, pack: CoinPack, now: datetime) -> None:
    answer = client.post(f"{OFFERS}add/", offer_form(pack), headers=clock_headers(now))

    assert answer.status_code == 302
    offer = Offer.objects.get()
    assert (offer.pack, offer.kind, offer.bonus_coins, offer.stock) == (pack, "limited", 300, 500)
    assert (offer.created_at, offer.taken_count) == (now, 0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bonus_coins": 50}, "give more than that, or nobody is better off"),
        ({"bonus_coins": 5001}, "an offer adds 5,000 at most, 10 times as many"),
        ({"bonus_coins": 0}, "greater than or equal to 1"),
        ({"bonus_coins": 10_000_001}, "less than or equal to 10000000"),
        ({"bonus_coins": "1.5"}, "Enter a whole number"),
        ({"stock": 0}, "greater than or equal to 1"),
        ({"stock": -1}, "greater than or equal to 1"),
        ({"stock": 10_000_001}, "less than or equal to 10000000"),
        ({"per_viewer_limit": 0}, "greater than or equal to 1"),
        ({"kind": "first_top_up", "per_viewer_limit": 2}, "A first top-up is had once"),
        ({"kind": "gift"}, "not one of the available choices"),
        ({"pack": ""}, "This field is required"),
        ({"code": "two words"}, "valid “slug”"),
        (moments("2026-04-01", "2026-03-01"), "It ends before it begins"),
        (moments("2026-04-01", "2026-04-01"), "It ends before it begins"),
        (moments("yesterday"), "Enter a valid date"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(map(str, value)),
)
def test_refuses_what_no_offer_can_be(
    client: Client, pack: CoinPack, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in complaints(client.post(f"{OFFERS}add/", offer_form(pack) | changes))
    assert not Offer.objects.exists()


def test_an_offer_on_a_pack_that_is_sold_under_offers_alone_may_give_any_bonus(
    client: Client, pack: CoinPack
) -> None:
    CoinPack.objects.update(is_active=False)
    assert client.post(f"{OFFERS}add/", offer_form(pack, bonus_coins=1)).status_code == 302


def test_what_was_promised_under_an_offer_is_never_changed(
    client: Client, pack: CoinPack, now: datetime
) -> None:
    offer: Offer = OfferFactory(pack=pack, stock=5)
    sell(offer, now)
    other = StoreProductFactory().pack

    page = f"{OFFERS}{offer.id}/change/"
    changed = offer_form(other, code="other", kind=OfferKind.FIRST_TOP_UP, title="New", stock=1)
    assert client.post(page, changed).status_code == 302

    offer.refresh_from_db()
    assert (offer.title, offer.stock, offer.taken_count) == ("New", 1, 1)
    assert (offer.pack, offer.kind) == (pack, "limited")
    assert offer.code != "other"


def test_the_stock_is_not_made_less_than_what_is_taken(
    client: Client, pack: CoinPack, now: datetime
) -> None:
    offer = OfferFactory(pack=pack, stock=5)
    for _ in range(2):
        sell(offer, now)

    answer = client.post(f"{OFFERS}{offer.id}/change/", offer_form(pack, stock=1))

    assert "2 places are held or sold already: make the stock 2 or more" in complaints(answer)
    offer.refresh_from_db()
    assert offer.stock == 5


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, "On"),
        ({"is_active": False}, "Switched off"),
        ({"starts_at": datetime.fromisoformat("2027-01-01T00:00Z")}, "Ahead"),
        ({"ends_at": datetime.fromisoformat("2026-03-02T00:00Z")}, "Over"),
        ({"stock": 1, "sold": True}, "Sold out"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_list_says_how_an_offer_stands(
    client: Client, pack: CoinPack, now: datetime, changes: dict[str, Any], standing: str
) -> None:
    is_sold = changes.pop("sold", False)
    offer = OfferFactory(pack=pack, **changes)
    if is_sold:
        sell(offer, now)
    content = client.get(OFFERS, headers=clock_headers(now)).content.decode()
    assert f">{standing}<" in content.replace("\n", "").replace("  ", "")


def test_an_offers_page_counts_what_is_held_and_sold(
    client: Client, pack: CoinPack, now: datetime
) -> None:
    offer = OfferFactory(pack=pack, stock=5)
    sell(offer, now)
    page = client.get(f"{OFFERS}{offer.id}/change/")
    assert page.status_code == 200
    assert "Held for viewers who are paying" in page.content.decode()
    claims = client.get("/admin/payments/offerclaim/")
    assert offer.title in claims.content.decode()
    claim = OfferClaim.objects.get()
    assert client.get(f"/admin/payments/offerclaim/{claim.id}/change/").status_code == 200
    assert client.post(f"/admin/payments/offerclaim/{claim.id}/change/", {}).status_code == 403


# --- Promo codes -------------------------------------------------------------------------------


def test_makes_a_promo_code(client: Client, now: datetime) -> None:
    answer = client.post(f"{CODES}add/", code_form(), headers=clock_headers(now))

    assert answer.status_code == 302
    code = PromoCode.objects.get()
    assert (code.code, code.bonus_coins, code.created_at) == ("PREMIERE2026", 50, now)
    assert (code.coins_expire_after_seconds, code.maximum_redemptions) == (30 * 24 * 3600, 1000)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"code": "abc"}, "Write a code of 4 to 32 letters"),
        ({"code": "naïve"}, "Write a code of 4 to 32 letters"),
        ({"code": "A" * 33}, "Write a code of 4 to 32 letters"),
        ({"code": "0ld-code"}, "The code OLDCODE is there already"),
        ({"bonus_coins": 1001}, "One redemption gives 1,000 coins at most"),
        ({"bonus_coins": 0}, "greater than or equal to 1"),
        ({"bonus_coins": -5}, "greater than or equal to 1"),
        ({"bonus_coins": "1e3"}, "Enter a whole number"),
        ({"lapse_after_days": 0}, "greater than or equal to 1"),
        ({"lapse_after_days": 3661}, "less than or equal to 3660"),
        ({"maximum_redemptions": 0}, "greater than or equal to 1"),
        ({"maximum_redemptions": 100_000_001}, "less than or equal to 100000000"),
        ({"maximum_redemptions": ""}, "This field is required"),
        (moments("2026-04-01", "2026-03-01"), "It ends before it begins"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(map(str, value)),
)
def test_refuses_what_no_promo_code_can_be(
    client: Client, settings: Settings, changes: dict[str, Any], sentence: str
) -> None:
    settings.PROMO_MAXIMUM_COINS = 1000
    PromoCodeFactory(code="OLDCODE")
    assert sentence in complaints(client.post(f"{CODES}add/", code_form(**changes)))
    assert PromoCode.objects.count() == 1


def test_what_a_code_gives_is_never_changed_and_its_maximum_not_below_what_was_redeemed(
    client: Client, now: datetime
) -> None:
    code: PromoCode = PromoCodeFactory(code="CODE", bonus_coins=20, maximum_redemptions=9)
    for _ in range(2):
        promo_codes.redeem(
            viewer_id=DeviceFactory().viewer_id,
            environment="production",
            typed="CODE",
            address=None,
            now=now,
        )
    page = f"{CODES}{code.id}/change/"
    assert b"2 of 9" in client.get(page).content

    refused = client.post(page, code_form(maximum_redemptions=1))
    assert "redeemed 2 times already: write 2 or more" in complaints(refused)
    changed = code_form(code="OTHER", bonus_coins=900, maximum_redemptions=2, name="Second try")
    assert client.post(page, changed).status_code == 302

    code.refresh_from_db()
    assert (code.code, code.bonus_coins, code.maximum_redemptions) == ("CODE", 20, 2)
    assert (code.name, code.redeemed_count) == ("Second try", 2)
    redemption = PromoRedemption.objects.first()
    page = f"/admin/payments/promoredemption/{redemption.id}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, {}).status_code == 403
    assert b"CODE" in client.get("/admin/payments/promoredemption/?q=CODE").content


def test_switches_chosen_codes_off(client: Client) -> None:
    codes: list[PromoCode] = [PromoCodeFactory() for _ in range(3)]
    chosen = {"action": "switch_off", "_selected_action": [codes[0].id, codes[1].id]}

    client.post(CODES, chosen)

    assert list(PromoCode.objects.filter(is_active=True)) == [codes[2]]
    assert LogEntry.objects.filter(change_message="Switched off.").count() == 2


def test_makes_a_batch_and_downloads_it(client: Client, now: datetime) -> None:
    assert client.get(f"{BATCHES}add/").status_code == 200
    answer = client.post(f"{BATCHES}add/", batch_form(), headers=clock_headers(now))

    assert answer.status_code == 302
    batch = PromoBatch.objects.get()
    assert (batch.prefix, batch.code_count, batch.created_at) == ("FAIR", 3, now)
    codes = list(batch.codes.order_by("id").values_list("code", flat=True))
    assert len(codes) == 3

    file = client.get(f"{BATCHES}{batch.id}/codes.csv")

    assert "no-store" in file.headers["Cache-Control"]
    head, *lines = file.content.decode().splitlines()
    assert head == "code,bonus_coins,is_active,is_redeemed"
    printed = [f"{promo_codes.grouped(code)},50,true,false" for code in codes]
    assert lines == printed
    assert LogEntry.objects.filter(change_message__contains="as a file").exists()
    assert client.get(f"{BATCHES}{batch.id}/change/").status_code == 200


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"code_count": 0}, "greater than or equal to 1"),
        ({"code_count": 10_001}, "less than or equal to 10000"),
        ({"prefix": "my-fair"}, "Write letters A to Z and digits alone"),
        ({"prefix": "F" * 13}, "at most 12 characters"),
        ({"bonus_coins": 1001}, "One redemption gives 1,000 coins at most"),
        ({"name": ""}, "This field is required"),
        (moments("2026-04-01", "2026-03-01"), "It ends before it begins"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(map(str, value)),
)
def test_refuses_what_no_batch_can_be(
    client: Client, settings: Settings, changes: dict[str, Any], sentence: str
) -> None:
    settings.PROMO_MAXIMUM_COINS = 1000
    assert sentence in complaints(client.post(f"{BATCHES}add/", batch_form(**changes)))
    assert not PromoBatch.objects.exists()
    assert not PromoCode.objects.exists()


# --- Who may -----------------------------------------------------------------------------------


def test_nothing_of_it_is_deleted_by_anybody(client: Client, pack: CoinPack, now: datetime) -> None:
    offer, code = OfferFactory(pack=pack), PromoCodeFactory()
    root = signed_in(operator("root", is_superuser=True))
    for caller in (client, root):
        for page in (f"{OFFERS}{offer.id}/delete/", f"{CODES}{code.id}/delete/"):
            assert caller.post(page, {"post": "yes"}).status_code == 403
    assert Offer.objects.count() == PromoCode.objects.count() == 1


def test_unredeemed_codes_are_shown_to_nobody_who_may_not_make_them(
    db: None, now: datetime
) -> None:
    batch = promos.generate(
        name="Fair",
        prefix="",
        count=1,
        terms=promos.CodeTerms(
            bonus_coins=1, coins_expire_after_seconds=None, starts_at=now, ends_at=None
        ),
        operator_id=operator("maker").id,
        now=now,
    )
    support, finance = (signed_in(operator(role, role=role)) for role in ("support", "finance"))
    assert support.get(CODES).status_code == 403
    assert support.get(BATCHES).status_code == 403
    assert finance.get(BATCHES).status_code == 200
    assert finance.get(f"{BATCHES}{batch.id}/codes.csv").status_code == 403
    assert support.get(f"{BATCHES}{batch.id}/codes.csv").status_code == 403


def test_those_who_may_only_look_change_no_offer(pack: CoinPack, now: datetime) -> None:
    offer = OfferFactory(pack=pack, ends_at=now + timedelta(days=1))
    support = signed_in(operator(role="support"))
    page = f"{OFFERS}{offer.id}/change/"
    assert support.get(page).status_code == 200
    assert support.post(page, offer_form(pack)).status_code == 403
    assert support.get(f"{OFFERS}add/").status_code == 403
