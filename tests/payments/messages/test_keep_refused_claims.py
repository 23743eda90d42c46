"""Who hands in what is another's is refused it, and is on record; who does so too often rings."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from payments.messages import alarms, refused_claims
from payments.models import PassPurchase, Purchase, RefusedClaim, StoreProduct, TransferPolicy
from payments.store.facts import Applied
from tests.factories.operators import operator, signed_in
from tests.factories.payments import (
    StorePassFactory,
    StoreProductFactory,
    fund,
    signed_sale,
    told,
)
from tests.factories.viewers import DeviceFactory, clock_headers, viewer_headers
from tests.payments.calls import movements, submit
from tests.payments.messages.conftest import Parrot
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device, Viewer

DAY = timedelta(days=1)


@pytest.fixture
def product(db: None) -> StoreProduct:
    made: StoreProduct = StoreProductFactory()
    return made


@pytest.fixture
def other(db: None) -> Device:
    made: Device = DeviceFactory()
    return made


def restore(api: Client, device: Device, *signed: str, now: datetime, **asked: Any) -> Any:
    body = {"provider": "fake", "transactions": signed} | asked
    headers = viewer_headers(device, now=now)
    answer = api.post("/v1/purchases/restore", body, "application/json", headers=headers)
    assert answer.status_code == 200
    return answer.json()["restored"]


class TestClaims:
    def test_of_anothers_coins_are_kept_with_whose_they_are(
        self, api: Client, product: StoreProduct, device: Device, other: Device, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        submit(api, viewer_headers(device, now=now), signed)
        before = movements()

        refused = submit(api, viewer_headers(other, now=now), signed)

        assert (refused.status_code, movements()) == (409, before)
        (claim,) = RefusedClaim.objects.all()
        assert (claim.viewer, claim.owner) == (other.viewer, device.viewer)
        assert (claim.provider, claim.environment) == ("fake", "production")
        assert (claim.purchase, claim.pass_purchase) == (Purchase.objects.get(), None)
        assert (claim.day, claim.claimed_at) == (date(2026, 3, 14), now)

    def test_do_not_say_what_could_be_handed_in(
        self, api: Client, product: StoreProduct, device: Device, other: Device, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        submit(api, viewer_headers(other, now=now), signed)

        name = told(signed, now=now).transaction_id
        assert RefusedClaim.objects.get().reference_hash == (
            sha256(f"fake:{name}".encode()).hexdigest()
        )

    def test_of_the_same_are_kept_once_a_day(
        self, api: Client, product: StoreProduct, device: Device, other: Device, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        for at in (now, now, now + timedelta(hours=11), now + DAY):
            refused = submit(api, viewer_headers(other, now=at), signed)
            assert refused.status_code == 409

        assert list(RefusedClaim.objects.order_by("id").values_list("day", flat=True)) == [
            date(2026, 3, 14),
            date(2026, 3, 15),
        ]

    def test_of_what_was_never_booked_are_of_what_its_owner_has_now(
        self, api: Client, device: Device, other: Device, now: datetime
    ) -> None:
        sold = StorePassFactory()
        signed = signed_sale(sold, viewer_id=device.viewer_id, now=now)

        submit(api, viewer_headers(other, now=now), signed)

        claim = RefusedClaim.objects.get()
        assert claim.pass_purchase == PassPurchase.objects.get(viewer=device.viewer)
        assert claim.purchase is None

    def test_are_none_where_a_viewer_hands_in_their_own(
        self, api: Client, product: StoreProduct, device: Device, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        for _ in range(2):
            submit(api, viewer_headers(device, now=now), signed)
        restore(api, device, signed, now=now)

        assert not RefusedClaim.objects.exists()

    def test_of_a_viewer_who_is_in_no_table_are_refused_and_not_kept(
        self, api: Client, product: StoreProduct, device: Device, now: datetime
    ) -> None:
        """An access token is believed without a read."""
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        stranger = Device(viewer=Viewer(environment="production"))

        refused = submit(api, viewer_headers(stranger, now=now), signed)

        assert (refused.status_code, RefusedClaim.objects.count()) == (409, 0)

    def test_of_restored_coins_are_kept(
        self, api: Client, product: StoreProduct, device: Device, other: Device, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)

        (found,) = restore(api, other, signed, now=now)

        assert found["outcome"] == "anothers"
        assert RefusedClaim.objects.get().viewer == other.viewer

    @pytest.mark.django_db(transaction=True)
    def test_are_committed_though_the_request_was_refused(
        self, client: Client, product: StoreProduct, device: Device, other: Device, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        headers = viewer_headers(other, now=now) | {"Idempotency-Key": "k-1"}
        for _ in range(2):
            assert submit(client, headers, signed).status_code == 409
        connection.close()

        assert RefusedClaim.objects.count() == 1


class TestSubscriptions:
    @pytest.fixture
    def story(self, device: Device, now: datetime) -> Story:
        return Story(device.viewer_id, now, plan())

    def asked(
        self, api: Client, parrot: Parrot, story: Story, other: Device, now: datetime, **how: Any
    ) -> str:
        parrot.said = (story.paid(0, at=now),)
        (found,) = restore(api, other, "of another device", now=now, **how)
        outcome: str = found["outcome"]
        return outcome

    def test_that_are_their_owners_for_good_are_claimed_once_a_day_whatever_is_paid(
        self, api: Client, parrot: Parrot, device: Device, other: Device, now: datetime
    ) -> None:
        story = Story(device.viewer_id, now, plan(transfer_policy=TransferPolicy.KEEP))
        tell(story.paid(0), now=now)
        for _ in range(2):
            assert self.asked(api, parrot, story, other, now, transfer=True) == "anothers"

        claim = RefusedClaim.objects.get()
        assert (claim.subscription, claim.owner) == (story.row(), device.viewer)
        assert claim.pass_purchase == PassPurchase.objects.get()

    def test_that_are_to_be_had_for_the_asking_are_refused_to_nobody(
        self, api: Client, parrot: Parrot, story: Story, other: Device, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)

        assert self.asked(api, parrot, story, other, now) == "anothers"
        assert self.asked(api, parrot, story, other, now, transfer=True) == "transferred"
        assert not RefusedClaim.objects.exists()


class TestAlarm:
    @pytest.fixture(autouse=True)
    def _few(self, settings: LazySettings) -> None:
        settings.REFUSED_CLAIMS_DAILY = 2

    def claim(
        self, other: Device, device: Device, *, at: datetime, number: int = 1, **changes: Any
    ) -> None:
        for _ in range(number):
            purchase = fund(device.viewer_id, now=at, paid=10, **changes)
            one = Applied(purchase.transaction_id, bought=purchase)
            for _ in range(2):
                refused_claims.note([one], viewer_id=other.viewer_id, provider="fake", now=at)

    def rings(self, now: datetime) -> list[tuple[str, str, str]]:
        found = [one for one in alarms.ringing(now=now) if one.code == "claims_of_others"]
        return [(one.sentence, one.listed, one.query) for one in found]

    def test_names_who_has_handed_in_more_of_others_than_are_let_pass(
        self, device: Device, other: Device, now: datetime
    ) -> None:
        self.claim(other, device, at=now, number=2)
        assert self.rings(now) == []

        self.claim(other, device, at=now + timedelta(hours=1))
        assert self.rings(now + timedelta(hours=2)) == [
            (
                f"Viewer {other.viewer_id} has handed in 3 purchases of others in a day.",
                "refusedclaim",
                f"q={other.viewer_id}",
            )
        ]

    def test_forgets_after_a_day(self, device: Device, other: Device, now: datetime) -> None:
        self.claim(other, device, at=now, number=3)

        assert len(self.rings(now + DAY - timedelta(seconds=1))) == 1
        assert self.rings(now + DAY) == []

    def test_counts_the_same_once_on_either_side_of_midnight(
        self, device: Device, other: Device, now: datetime
    ) -> None:
        purchases = [fund(device.viewer_id, now=now, paid=10) for _ in range(2)]
        for at in (now, now + timedelta(hours=13)):
            for one in purchases:
                refused_claims.note(
                    [Applied(one.transaction_id, bought=one)],
                    viewer_id=other.viewer_id,
                    provider="fake",
                    now=at,
                )

        assert RefusedClaim.objects.count() == 4
        assert self.rings(now + timedelta(hours=13)) == []

    def test_is_of_no_testers(self, device: Device, other: Device, now: datetime) -> None:
        self.claim(other, device, at=now, number=3)
        bought = [fund(device.viewer_id, now=now, paid=10) for _ in range(3)]
        testers: Device = DeviceFactory()
        for one in bought:
            one.environment = "sandbox"
            refused_claims.note(
                [Applied(one.transaction_id, bought=one)],
                viewer_id=testers.viewer_id,
                provider="fake",
                now=now,
            )

        assert [sentence.split()[1] for sentence, *_ in self.rings(now)] == [str(other.viewer_id)]

    def test_leads_to_what_they_claimed(self, device: Device, other: Device, now: datetime) -> None:
        self.claim(other, device, at=now, number=3)
        client = signed_in(operator(role="support"))
        (shown,) = [
            one
            for one in client.get("/admin/", headers=clock_headers(now)).context["alarms"]
            if "purchases of others" in one["sentence"]
        ]
        page = client.get(shown["url"], headers=clock_headers(now))

        assert page.status_code == 200
        assert len(page.context["cl"].result_list) == 3
        pricing = signed_in(operator("pia", role="pricing"))
        assert pricing.get(shown["url"]).status_code == 403


class TestDesk:
    def test_a_wallets_page_says_what_of_others_its_viewer_handed_in(
        self, device: Device, other: Device, now: datetime
    ) -> None:
        bought, own = (fund(one.viewer_id, now=now, paid=10) for one in (device, other))
        one = Applied(bought.transaction_id, bought=bought)
        refused_claims.note([one], viewer_id=other.viewer_id, provider="fake", now=now)
        wallet = own.transfer.entries.exclude(wallet=None).first().wallet
        url = f"/admin/payments/wallet/{wallet.id}/change/"

        shown = signed_in(operator(role="support")).get(url, headers=clock_headers(now))
        assert [row["claim"] for row in shown.context["claims"]] == [RefusedClaim.objects.get()]
        assert "Purchases of others" in shown.content.decode()

        prices = signed_in(operator("pia", role="pricing")).get(url, headers=clock_headers(now))
        assert prices.context["claims"] == []

    def test_a_claims_page_says_whose_it_is_and_what(
        self, device: Device, other: Device, now: datetime
    ) -> None:
        bought = fund(device.viewer_id, now=now, paid=10)
        one = replace(Applied(bought.transaction_id), bought=bought)
        refused_claims.note([one], viewer_id=other.viewer_id, provider="fake", now=now)
        claim = RefusedClaim.objects.get()

        page = signed_in(operator(role="support")).get(
            f"/admin/payments/refusedclaim/{claim.id}/change/", headers=clock_headers(now)
        )

        text = page.content.decode()
        assert page.status_code == 200
        assert all(str(one) in text for one in (other.viewer_id, device.viewer_id, bought.id))
