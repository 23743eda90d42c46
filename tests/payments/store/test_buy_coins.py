"""From intent to credited coins, and what a bad or repeated transaction does not do."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from payments.models import CoinPack, Lot, Purchase, StoreProduct, StoreTerms, Wallet
from payments.providers.fake.store import FakeStore
from payments.providers.fake.verifier import TYPE
from payments.store import purchases
from tests.factories.payments import (
    PAST,
    StorePassFactory,
    StoreProductFactory,
    hand_in,
    signed_sale,
    told,
)
from tests.factories.viewers import DeviceFactory, clock_headers, viewer_headers
from tests.payments.calls import movements, submit
from tests.payments.providers.google import play
from tests.payments.providers.google.play import Play
from viewers.models import Device


@pytest.fixture
def product() -> StoreProduct:
    return StoreProductFactory(pack__paid_coins=1000, pack__bonus_coins=50, pack__code="big")


def test_the_whole_way_from_intent_to_balance(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    body = {"pack_id": str(product.pack_id), "provider": "fake"}
    intent = api.post("/v1/purchases/intents", body, "application/json", headers=headers)
    assert intent.status_code == 201
    told = intent.json()
    sale = {key: told[key] for key in ("account_token", "intent_id")}
    sold = api.post(
        "/fake-store/transactions",
        sale | {"product_id": told["store_product_id"]},
        "application/json",
        headers=clock_headers(now),
    )

    credited = submit(api, headers, sold.json()["transaction"])

    assert credited.status_code == 201
    answer = credited.json()
    assert (answer["coins"], answer["paid_coins"], answer["bonus_coins"]) == (1050, 1000, 50)
    assert answer["price"] == {"amount_micros": 4_990_000, "currency": "USD"}
    assert answer["credited_now"] is True
    wallet = api.get("/v1/me/wallet", headers=headers).json()
    assert wallet["balance"] == {"coins": 1050, "paid_coins": 1000, "bonus_coins": 50}
    assert Purchase.objects.get().intent_id is not None


def test_the_same_transaction_again_is_answered_and_not_credited(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    first = submit(api, headers, signed)
    before = movements()

    again = submit(api, headers, signed)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"credited_now": False}
    assert movements() == before


def test_one_store_transaction_under_two_signatures_credits_once(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    for price in (4_990_000, 5_990_000):
        signed = signed_sale(
            product,
            viewer_id=device.viewer_id,
            now=now,
            transaction_id="GPA.1234",
            price_micros=price,
        )
        submit(api, headers, signed)

    assert Purchase.objects.get().gross_micros == 4_990_000


def test_another_viewers_transaction_credits_whom_it_names_and_not_who_hands_it_in(
    api: Client, product: StoreProduct, device: Device, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    stranger = viewer_headers(DeviceFactory(), now=now)

    answers = [submit(api, stranger, signed) for _ in "ab"]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (409, "transaction_of_another_viewer")
    ] * 2
    assert Wallet.objects.get().viewer_id == device.viewer_id
    assert Purchase.objects.count() == 1


def test_a_transaction_credited_to_one_viewer_is_never_credited_to_another(
    product: StoreProduct, device: Device, now: datetime
) -> None:
    """Whatever door it comes through: here below the check of the account token."""
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    transaction = told(signed, now=now)
    sale = {"provider": "fake", "transaction": transaction, "now": now}
    purchases.credit(viewer_id=device.viewer_id, **sale)
    before = movements()

    with pytest.raises(purchases.TransactionOfAnotherViewer):
        purchases.credit(viewer_id=DeviceFactory().viewer_id, **sale)

    assert movements() == before


def test_a_sandbox_transaction_credits_the_sandbox_wallet_only(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, environment="sandbox")

    response = submit(api, headers, signed)

    assert response.json()["environment"] == "sandbox"
    assert api.get("/v1/me/wallet", headers=headers).json()["balance"]["coins"] == 0
    assert set(Lot.objects.values_list("environment", flat=True)) == {"sandbox"}


def test_the_coins_promised_by_the_intent_survive_an_edit_of_the_pack(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    intent, _ = purchases.create_intent(
        viewer_id=device.viewer_id,
        environment="production",
        pack_id=product.pack_id,
        provider="fake",
        now=now,
    )
    CoinPack.objects.update(paid_coins=1, bonus_coins=0)

    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, intent_id=intent.id)

    assert submit(api, headers, signed).json()["coins"] == 1050


def test_an_intent_promises_its_coins_to_one_purchase_only(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    intent, _ = purchases.create_intent(
        viewer_id=device.viewer_id,
        environment="production",
        pack_id=product.pack_id,
        provider="fake",
        now=now,
    )
    CoinPack.objects.update(paid_coins=700, bonus_coins=0)
    sale = {"viewer_id": device.viewer_id, "now": now, "intent_id": intent.id}

    coins = [submit(api, headers, signed_sale(product, **sale)).json()["coins"] for _ in "ab"]

    assert coins == [1050, 700]
    assert list(Purchase.objects.order_by("id").values_list("intent_id", flat=True)) == [
        intent.id,
        None,
    ]


def test_a_transaction_is_answered_as_booked_after_the_store_renamed_its_product(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    first = submit(api, headers, signed)
    StoreProduct.objects.update(store_product_id="renamed")

    again = submit(api, headers, signed)

    assert (again.status_code, again.json()) == (200, first.json() | {"credited_now": False})


def test_a_pack_under_a_new_name_still_honours_sales_under_the_old_one(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    renamed: StoreProduct = StoreProductFactory(pack=product.pack, store_product_id="coins.big.v2")
    _, offered = purchases.create_intent(
        viewer_id=device.viewer_id,
        environment="production",
        pack_id=product.pack_id,
        provider="fake",
        now=now,
    )
    assert offered.store_product_id == renamed.store_product_id

    for sold in (product, renamed):
        signed = signed_sale(sold, viewer_id=device.viewer_id, now=now)
        assert submit(api, headers, signed).status_code == 201


def test_a_testers_purchase_in_the_fake_store_is_the_sandboxs(
    api: Client, product: StoreProduct, device: Device, now: datetime
) -> None:
    device.viewer.environment = "sandbox"
    device.viewer.save()
    body = {"product_id": product.store_product_id, "account_token": str(device.viewer_id)}

    sold = api.post("/fake-store/transactions", body, "application/json").json()["transaction"]

    assert told(sold, now=now).environment == "sandbox"


def test_the_net_price_is_what_tax_and_fee_leave_at_the_days_terms(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    """12.00 with 20 % tax inside is 10.00; 15 % of that is the store's; 8.50 is carried."""
    StoreTerms.objects.create(
        provider="fake",
        effective_from=PAST,
        fee_parts_per_million=150_000,
        tax_parts_per_million=200_000,
    )
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, price_micros=12_000_000)

    submit(api, headers, signed)

    bought = Purchase.objects.get()
    assert (bought.tax_micros, bought.fee_micros, bought.net_micros) == (
        2_000_000,
        1_500_000,
        8_500_000,
    )
    values = dict(Lot.objects.values_list("kind", "value_micros"))
    assert values == {"paid": 8_095_238, "bonus": 404_762}


@pytest.mark.parametrize(
    "changes",
    [
        {"price_micros": -1},
        {"price_micros": 10**17},
        {"currency": ""},
        {"environment": "xcode"},
        {"transaction_id": "t" * 513},
        {"transaction_id": "nul\x00"},
        {"price_micros": 1.5},
        {"price_micros": True},
        {"price_micros": "4990000"},
        {"account_token": "me"},
    ],
    ids=lambda changes: "-".join(f"{name}={str(value)[:12]!r}" for name, value in changes.items()),
)
def test_a_genuine_signature_over_nonsense_is_refused(
    api: Client,
    product: StoreProduct,
    device: Device,
    headers: Any,
    now: datetime,
    changes: dict[str, Any],
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, **changes)
    before = movements()

    response = submit(api, headers, signed)

    assert (response.status_code, response.json()["code"]) == (422, "transaction_invalid")
    assert movements() == before


def forgeries(genuine: str) -> dict[str, str]:
    head, payload, signature = genuine.split(".")
    claims = jwt.decode(genuine, options={"verify_signature": False})
    own_key = ec.generate_private_key(ec.SECP256R1())
    rsa_key = rsa.generate_private_key(65537, 2048)
    typ = {"typ": TYPE}
    return {
        "signed with another key": jwt.encode(claims, own_key, "ES256", headers=typ),
        "alg none": jwt.encode(claims, "", "none", headers=typ),
        "alg HS256": jwt.encode(claims, "x" * 32, "HS256", headers=typ),
        "alg RS256": jwt.encode(claims, rsa_key, "RS256", headers=typ),
        "another type": jwt.encode(claims, own_key, "ES256", headers={"typ": "JWT"}),
        "payload altered": f"{head}.{payload[:-4]}AAAA.{signature}",
        "signature dropped": f"{head}.{payload}.",
        # Of the last character a decoder reads two bits: four stand for the same.
        "signature spelt otherwise": f"{genuine[:-1]}{chr(ord(genuine[-1]) + 1)}",
        "signature altered": f"{head}.{payload}.{'A' * len(signature)}",
        "two parts": f"{head}.{payload}",
        "not base64": "a.b.c",
        "not ascii": "é.é.é",
        "empty segments": "..",
        "a JSON array": "W10.W10.W10",
    }


@pytest.mark.parametrize("name", list(forgeries(jwt.encode({}, "x" * 32, "HS256"))))
def test_a_forged_transaction_is_refused(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime, name: str
) -> None:
    genuine = signed_sale(product, viewer_id=device.viewer_id, now=now)
    before = movements()

    response = submit(api, headers, forgeries(genuine)[name])

    assert (response.status_code, response.json()["code"]) == (422, "transaction_invalid")
    assert movements() == before


def test_a_product_no_pack_is_sold_as_is_refused(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, product_id="gold")

    response = submit(api, headers, signed)

    assert (response.status_code, response.json()["code"]) == (422, "product_unknown")


def test_an_intent_of_another_viewer_promised_nothing(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    foreign, _ = purchases.create_intent(
        viewer_id=DeviceFactory().viewer_id,
        environment="production",
        pack_id=product.pack_id,
        provider="fake",
        now=now,
    )
    CoinPack.objects.update(bonus_coins=1)  # since it was announced
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, intent_id=foreign.id)

    response = submit(api, headers, signed)

    assert (response.status_code, response.json()["coins"]) == (201, 1001)
    bought = Purchase.objects.get()
    assert (bought.viewer_id, bought.intent_id) == (device.viewer_id, None)


def test_a_word_of_the_apps_own_in_the_intents_place_promises_nothing(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    """As one that tells profiles apart at Google."""
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, intent_id=uuid4())

    assert submit(api, headers, signed).json()["coins"] == 1050


def test_a_store_that_is_not_configured_is_unknown(
    api: Client, product: StoreProduct, headers: Any
) -> None:
    response = api.post(
        "/v1/purchases/apple", {"transaction": "x"}, "application/json", headers=headers
    )

    assert (response.status_code, response.json()["code"]) == (404, "provider_unknown")


def test_an_intent_for_an_unknown_pack_is_refused(api: Client, headers: Any) -> None:
    body = {"pack_id": str(uuid4()), "provider": "fake"}

    response = api.post("/v1/purchases/intents", body, "application/json", headers=headers)

    assert (response.status_code, response.json()["code"]) == (422, "product_unknown")


def test_the_store_signs_with_a_key_the_verifier_alone_could_not_use(now: datetime) -> None:
    """Another instance's store does not get coins out of this one."""
    stranger = FakeStore(ec.generate_private_key(ec.SECP256R1()))
    signed = stranger.sell(
        product_id="p",
        account_token=uuid4(),
        price_micros=1,
        currency="USD",
        environment="production",
        now=now,
    )

    with pytest.raises(purchases.TransactionInvalid):
        hand_in(signed, viewer_id=uuid4(), now=now)


@pytest.mark.parametrize("is_pass", [False, True], ids=["coins", "a pass"])
def test_what_a_store_tells_no_price_of_is_booked_at_the_list_price(
    api: Client,
    device: Device,
    headers: Any,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    is_pass: bool,
) -> None:
    """Google keeps no order of a promotion, and the App Store may leave a price out."""
    google = Play()
    monkeypatch.setattr(purchases, "adapters", lambda: {"google": google.adapter})
    if is_pass:
        StorePassFactory(
            provider="google", store_product_id="sold", pass_product__price_micros=2_990_000
        )
    else:
        StoreProductFactory(
            provider="google", store_product_id="sold", pack__price_micros=2_990_000
        )
    google.has_product(
        productLineItem=[play.line("sold")],
        purchaseCompletionTime=now.isoformat(),
        obfuscatedExternalAccountId=str(device.viewer_id),
        obfuscatedExternalProfileId=None,
    )
    said = {"product_id": "sold", "purchase_token": play.TOKEN, "is_subscription": False}

    response = api.post(
        "/v1/purchases/google",
        {"transaction": json.dumps(said)},
        "application/json",
        headers=headers,
    )

    assert response.status_code == 201, response.json()
    assert response.json()["price"] == {"amount_micros": 2_990_000, "currency": "USD"}


def test_restores_as_many_and_as_long_transactions_as_its_shape_allows(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    body = {"provider": "fake", "transactions": [*["x" * 15_000] * 19, signed]}

    response = api.post("/v1/purchases/restore", body, "application/json", headers=headers)

    assert response.status_code == 200, response.json()
    outcomes = [one["outcome"] for one in response.json()["restored"]]
    assert outcomes == ["invalid"] * 19 + ["yours"]
