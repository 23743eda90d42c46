"""What was bought under an intent of ours is its viewer's, whatever else the app told the store, and whoever hands it
in."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from payments.messages import submissions
from payments.messages.asking import Patience
from payments.models import PassPurchase, Purchase, Subscription
from payments.store import pass_purchases, purchases
from payments.store.purchases import TransactionOfAnotherViewer
from tests.factories.payments import OfferFactory, StorePassFactory, StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.providers.stalls import PACK, PERIOD, PLAN, PRICE_MICROS, GoogleStall

pytestmark = pytest.mark.django_db

#: An app's own word for its user, which is no UUID.
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
OTHERS = "9d3c1f5e-6a70-4b1d-8a44-2f0f5b7c9e10"


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStall]:
    """The only store."""
    stall = GoogleStall(tmp_path)
    monkeypatch.setattr(purchases, "adapters", lambda: {"google": stall.adapter})
    yield stall
    stall.close()


@pytest.fixture
def buyer_id() -> UUID:
    found: UUID = DeviceFactory().viewer_id
    return found


@pytest.fixture
def caller_id() -> UUID:
    """Who has signed in since."""
    found: UUID = DeviceFactory().viewer_id
    return found


def bought(google: GoogleStall, *, account: str, profile: str) -> str:
    """What an app hands in."""
    line = {"product_id": PACK, "price_micros": PRICE_MICROS}
    sold = google.does("/_purchases", lines=[line], account=account, profile=profile)
    return _handed_in(PACK, sold["token"])


def subscribed(google: GoogleStall, *, account: str, profile: str) -> str:
    plan = {"product_id": PLAN, "price_micros": PRICE_MICROS, "period_days": PERIOD.days}
    sold = google.does("/_subscriptions", plan=plan, account=account, profile=profile)
    return _handed_in(PLAN, sold["token"], is_subscription=True)


def _handed_in(product_id: str, token: str, *, is_subscription: bool = False) -> str:
    return json.dumps(
        {"product_id": product_id, "purchase_token": token, "is_subscription": is_subscription}
    )


def hand_in(google: GoogleStall, handed_in: str, viewer_id: UUID) -> submissions.Booked:
    now = google.now
    found = submissions.read(provider="google", handed_in=handed_in, patience=Patience(), now=now)
    try:
        return submissions.book(found, viewer_id=viewer_id, provider="google", now=now)
    except TransactionOfAnotherViewer:
        # As the address does that a phone calls: who has bought it has it all the same.
        submissions.book_for_its_owner(found, viewer_id=viewer_id, provider="google", now=now)
        raise


def intent_for_coins(viewer_id: UUID, google: GoogleStall) -> UUID:
    """For the pack under an offer."""
    pack = StoreProductFactory(provider="google", store_product_id=PACK).pack
    offer = OfferFactory(pack=pack, bonus_coins=200)
    intent, _ = purchases.create_intent(
        viewer_id=viewer_id,
        environment="production",
        pack_id=pack.id,
        provider="google",
        offer_id=offer.id,
        now=google.now,
    )
    return intent.id


@pytest.mark.parametrize("account", [HASH, ""])
def test_coins_are_the_intents_viewers_with_what_was_promised(
    google: GoogleStall, buyer_id: UUID, caller_id: UUID, account: str
) -> None:
    intent_id = intent_for_coins(buyer_id, google)
    handed_in = bought(google, account=account, profile=str(intent_id))

    with pytest.raises(TransactionOfAnotherViewer):
        hand_in(google, handed_in, caller_id)

    purchase = Purchase.objects.get()
    assert (purchase.viewer_id, purchase.intent_id) == (buyer_id, intent_id)
    assert purchase.bonus_coins == 200
    assert purchases.was_granted(purchase)


def test_an_account_that_is_another_systems_names_nobody_beside_an_intent_of_ours(
    google: GoogleStall, buyer_id: UUID, caller_id: UUID
) -> None:
    intent_id = intent_for_coins(buyer_id, google)
    with pytest.raises(TransactionOfAnotherViewer):
        hand_in(google, bought(google, account=OTHERS, profile=str(intent_id)), caller_id)
    assert Purchase.objects.get().viewer_id == buyer_id


def test_a_subscription_is_the_intents_viewers(
    google: GoogleStall, buyer_id: UUID, caller_id: UUID
) -> None:
    vip = StorePassFactory(
        provider="google",
        store_product_id=PLAN,
        pass_product__period_days=PERIOD.days,
        pass_product__is_renewing=True,
    )
    intent, _ = pass_purchases.create_intent(
        viewer_id=buyer_id,
        environment="production",
        pass_id=vip.pass_product_id,
        provider="google",
        now=google.now,
    )
    with pytest.raises(TransactionOfAnotherViewer):
        hand_in(google, subscribed(google, account=HASH, profile=str(intent.id)), caller_id)
    assert Subscription.objects.get().viewer_id == buyer_id
    assert PassPurchase.objects.get().viewer_id == buyer_id


@pytest.mark.parametrize("profile", ["", "some word", OTHERS])
def test_what_names_nobody_of_ours_is_who_hands_it_ins(
    google: GoogleStall, caller_id: UUID, profile: str
) -> None:
    StoreProductFactory(provider="google", store_product_id=PACK)
    hand_in(google, bought(google, account=HASH, profile=profile), caller_id)
    assert Purchase.objects.get().viewer_id == caller_id


def test_an_account_of_ours_counts_before_an_intent_of_another_viewer(
    google: GoogleStall, buyer_id: UUID, caller_id: UUID
) -> None:
    intent_id = intent_for_coins(buyer_id, google)
    hand_in(google, bought(google, account=str(caller_id), profile=str(intent_id)), caller_id)
    purchase = Purchase.objects.get()
    assert (purchase.viewer_id, purchase.intent_id) == (caller_id, None)
