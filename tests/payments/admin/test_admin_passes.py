"""Passes are priced as on a price tag, what was bought is read and refunded, and why they cover is told."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.admin import formats
from payments.models import PassIntent, PassProduct, PassPurchase, Refund, StoreProduct, Wallet
from tests.factories.operators import operator, signed_in
from tests.factories.payments import (
    PassProductFactory,
    StorePassFactory,
    StoreProductFactory,
    buy_pass,
)
from tests.factories.viewers import clock_headers
from tests.payments.calls import episode
from tests.payments.ledger.days.story import money_back
from tests.payments.untouched import untouched
from viewers.models import Device

DAY = timedelta(days=1)
LIST = "/admin/payments/passproduct/"
BOUGHT = "/admin/payments/passpurchase/"


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="pricing"))


def form(**changes: Any) -> dict[str, Any]:
    """What the page posts for a new pass."""
    return {
        "title": "VIP",
        "code": "vip",
        "period": "month",
        "days": "",
        "period_coins": 0,
        "transfer_policy": "transfer",
        "price": "39.99",
        "currency": "USD",
        "is_active": "on",
        "position": 1,
        "store_products-TOTAL_FORMS": 0,
        "store_products-INITIAL_FORMS": 0,
    } | changes


def complaints(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["errors"])


class TestProducts:
    def test_coins_with_each_period_are_for_what_renews(
        self, client: Client, now: datetime
    ) -> None:
        refused = client.post(f"{LIST}add/", form(period_coins=300), headers=clock_headers(now))
        made = client.post(
            f"{LIST}add/", form(period_coins=300, is_renewing="on"), headers=clock_headers(now)
        )

        assert "Only what renews" in complaints(refused)
        assert made.status_code == 302
        assert PassProduct.objects.get().period_coins == 300

    @pytest.mark.parametrize(
        ("changes", "length"),
        [
            ({"period": "week"}, (0, 7)),
            ({"period": "month"}, (1, 0)),
            ({"period": "quarter"}, (3, 0)),
            ({"period": "half"}, (6, 0)),
            ({"period": "year"}, (12, 0)),
            ({"period": "days", "days": 3}, (0, 3)),
        ],
    )
    def test_a_period_is_chosen_and_shown_again(
        self, client: Client, now: datetime, changes: dict[str, Any], length: tuple[int, int]
    ) -> None:
        names = {
            "store_products-TOTAL_FORMS": 1,
            "store_products-0-provider": "fake",
            "store_products-0-store_product_id": "vip.1",
        }
        answer = client.post(
            f"{LIST}add/", form(is_renewing="on", **names, **changes), headers=clock_headers(now)
        )

        assert answer.status_code == 302
        made = PassProduct.objects.get()
        assert (made.period_months, made.period_days) == length
        assert (made.price_micros, made.is_renewing, made.created_at) == (39_990_000, True, now)
        assert StoreProduct.objects.get().pass_product == made
        initial = client.get(f"{LIST}{made.id}/change/").context["adminform"].form.initial
        assert (initial["period"], initial["price"]) == (changes["period"], "39.99")
        assert initial.get("days") == changes.get("days")

    def test_an_edit_changes_the_length_for_those_who_come_later(
        self, client: Client, device: Device, now: datetime
    ) -> None:
        bought = buy_pass(device.viewer_id, now=now)
        page = f"{LIST}{bought.product_id}/change/"

        client.post(page, form(code=bought.product.code, period="days", days=30))

        bought.refresh_from_db()
        assert PassProduct.objects.get().period_days == 30
        assert (bought.period_days, bought.ends_at) == (7, now + 7 * DAY)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"period": "days"}, "Say how many days the pass is for"),
            ({"period": "week", "days": 3}, "Leave this empty, or choose Days"),
            ({"period": "days", "days": 0}, "greater than or equal to 1"),
            ({"period": "days", "days": 367}, "less than or equal to 366"),
            ({"period": "century"}, "Select a valid choice"),
            ({"period": ""}, "This field is required"),
            ({"currency": "EUR"}, "Passes are priced in USD"),
            ({"price": "0"}, "greater than or equal to 0.01"),
            ({"price": "4.999"}, "no more than 2 decimal places"),
            ({"price": "100001"}, "less than or equal to 100000"),
            ({"code": "two words"}, "valid “slug”"),
        ],
    )
    def test_refuses_what_no_pass_can_be(
        self, client: Client, changes: dict[str, Any], sentence: str
    ) -> None:
        assert sentence in complaints(client.post(f"{LIST}add/", form(**changes)))
        assert not PassProduct.objects.exists()

    def test_refuses_a_name_that_a_pack_has_in_that_store(self, client: Client) -> None:
        taken = StoreProductFactory()
        names = {
            "store_products-TOTAL_FORMS": 1,
            "store_products-0-provider": "fake",
            "store_products-0-store_product_id": taken.store_product_id,
        }
        assert client.post(f"{LIST}add/", form(**names)).status_code == 200
        assert not PassProduct.objects.exists()

    def test_lists_length_and_price(self, client: Client) -> None:
        PassProductFactory(title="VIP for a year", period_months=12, price_micros=99_990_000)
        PassProductFactory(title="VIP for a day", period_days=1)
        content = client.get(LIST).content.decode()
        for shown in ("VIP for a year", "12 months", "99.99 USD", "1 day"):
            assert shown in content

    def test_passes_are_never_deleted(self, client: Client) -> None:
        product: PassProduct = PassProductFactory()
        StorePassFactory(pass_product=product)
        root = signed_in(operator("root", is_superuser=True))
        for caller in (client, root):
            assert caller.post(f"{LIST}{product.id}/delete/", {"post": "yes"}).status_code == 403
        assert StoreProduct.objects.get().pass_product == product

    def test_those_who_may_only_look_see_the_length_and_the_price(self, db: None) -> None:
        product = PassProductFactory()
        support = signed_in(operator("anna", role="support"))
        content = support.get(f"{LIST}{product.id}/change/").content.decode()
        assert "7 days" in content
        assert formats.money(product.price_micros, "USD") in content
        assert support.get(f"{LIST}add/").status_code == 403
        assert support.post(f"{LIST}{product.id}/change/", form()).status_code == 403

    @pytest.mark.parametrize("role", ["content", "analyst"])
    def test_who_has_no_part_in_money_sees_no_purchase(self, db: None, role: str) -> None:
        assert signed_in(operator("otto", role=role)).get(BOUGHT).status_code == 403


class TestPurchases:
    @pytest.fixture
    def bought(self, device: Device, now: datetime) -> PassPurchase:
        return buy_pass(device.viewer_id, now=now, price_micros=10_000_000)

    @pytest.fixture
    def finance(self, db: None) -> Client:
        return signed_in(operator("fin", role="finance"))

    def page(self, bought: PassPurchase) -> str:
        return f"{BOUGHT}{bought.id}/change/"

    def test_lists_and_finds_what_was_bought(
        self, finance: Client, bought: PassPurchase, now: datetime
    ) -> None:
        for query in ("", str(bought.viewer_id), bought.transaction_id, str(bought.cover_id)):
            answer = finance.get(BOUGHT, {"q": query})
            assert [row.pk for row in answer.context["cl"].result_list] == [bought.id]
        assert list(finance.get(BOUGHT, {"q": "nobody"}).context["cl"].result_list) == []

    def test_nobody_writes_it(self, bought: PassPurchase, now: datetime) -> None:
        root = signed_in(operator("root", is_superuser=True))
        PassIntent.objects.create(
            viewer_id=bought.viewer_id, product=bought.product, provider="fake",
            period_months=0, period_days=7, created_at=now,
        )  # fmt: skip
        intent = PassIntent.objects.get()
        with untouched():
            for url in (f"{BOUGHT}{bought.id}/", f"/admin/payments/passintent/{intent.id}/"):
                assert root.get(f"{url}change/").status_code == 200
                for what in ("change", "delete"):
                    assert root.post(f"{url}{what}/", {"post": "yes"}).status_code == 403

    def test_tells_what_it_has_earned(
        self, finance: Client, bought: PassPurchase, now: datetime
    ) -> None:
        answer = finance.get(self.page(bought), headers=clock_headers(now + 3.5 * DAY))

        shown = answer.context
        assert (shown["state"], shown["earned"], shown["ahead"], shown["back"]) == (
            "running",
            "5.00 USD",
            "5.00 USD",
            "0.00 USD",
        )

    def test_a_refund_is_previewed_and_then_carried_out_once(
        self, finance: Client, bought: PassPurchase, now: datetime
    ) -> None:
        page, at = f"{BOUGHT}{bought.id}/refund/", clock_headers(now + 3.5 * DAY)
        request_id = finance.get(page, headers=at).context["form"].initial["request_id"]
        told = {"request_id": str(request_id), "reason": "Sorry", "amount": ""}
        with untouched():
            preview = finance.post(page, told | {"preview": "1"}, headers=at)
        content = preview.content.decode()
        for shown in ("10.00 USD", "5.00 USD", "is closed", "no more"):
            assert shown in content
        agreed = told | {"refund": "1", "shown": preview.context["shown"]}

        done = finance.post(page, agreed, headers=at)

        refund = Refund.objects.get()
        assert done.headers["Location"] == f"/admin/payments/refund/{refund.id}/change/"
        assert Wallet.objects.get().covered_until is None
        with untouched():
            again = finance.post(page, agreed, headers=at)
        assert again.headers["Location"] == self.page(bought)
        listed = finance.get(self.page(bought), headers=at).content.decode()
        assert "Taken" in listed
        assert "taken back" in listed

    def test_a_refund_that_was_not_shown_so_is_shown_anew(
        self, finance: Client, bought: PassPurchase, now: datetime
    ) -> None:
        page, at = f"{BOUGHT}{bought.id}/refund/", clock_headers(now)
        request_id = finance.get(page, headers=at).context["form"].initial["request_id"]
        told = {"request_id": str(request_id), "reason": "Sorry", "amount": ""}
        preview = finance.post(page, told | {"preview": "1"}, headers=at)
        money_back(bought, now, amount_micros=1_000_000)

        agreed = told | {"refund": "1", "shown": preview.context["shown"]}
        with untouched():
            answer = finance.post(page, agreed, headers=at)

        assert "9.00 USD" in answer.content.decode()

    def test_a_refund_is_reversed_on_its_page(
        self, finance: Client, bought: PassPurchase, now: datetime
    ) -> None:
        money_back(bought, now + DAY)
        refund = Refund.objects.get()
        page, at = f"/admin/payments/refund/{refund.id}/", clock_headers(now + 2 * DAY)
        content = finance.get(f"{page}change/", headers=at).content.decode()
        assert "Reverse this refund" in content
        assert str(bought.id) in content
        listed = finance.get("/admin/payments/refund/", {"q": str(bought.viewer_id)})
        assert [row.pk for row in listed.context["cl"].result_list] == [refund.id]

        finance.post(f"{page}reverse/", headers=at)

        assert Wallet.objects.get().covered_until == bought.ends_at

    def test_support_may_not_refund(self, bought: PassPurchase) -> None:
        support = signed_in(operator("anna", role="support"))
        assert support.get(self.page(bought)).status_code == 200
        assert support.get(f"{BOUGHT}{bought.id}/refund/").status_code == 403

    def test_why_an_episode_is_open_names_the_purchase_and_the_pass(
        self, series: Series, device: Device, bought: PassPurchase, now: datetime, headers: Any,
        api: Client,
    ) -> None:  # fmt: skip
        support = signed_in(operator("anna", role="support"))
        query = {
            "viewer": str(device.viewer_id),
            "environment": "production",
            "episode": str(episode(series, 9)),
        }
        api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers)
        money_back(bought, now + DAY)

        def told(at: datetime) -> str:
            answer = support.get(
                "/admin/payments/entitlement/why/", query, headers=clock_headers(at)
            )
            assert answer.status_code == 200
            return answer.content.decode()

        before, after = told(now + timedelta(hours=1)), told(now + DAY)
        for page in (before, after):
            assert f"VIP ({bought.product.code}) for 10.00 USD" in page
            assert f"/admin/payments/passpurchase/{bought.id}/change/" in page
        assert "went back" not in before
        assert "was closed by a refund" in after
        assert "10.00 USD went back by store" in after
