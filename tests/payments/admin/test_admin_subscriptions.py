"""A subscription's page tells all of it, and an operator gives it to another viewer, shown before what that does."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from payments.models import Subscription, SubscriptionTransfer, Wallet
from payments.store import subscriptions
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.admin.store_rows import applied, refund, subscribed
from tests.payments.untouched import untouched
from viewers.models import Device

LIST = "/admin/payments/subscription/"
DAY = timedelta(days=1)
LIST_QUERIES = 11
PAGE_QUERIES = 22


@pytest.fixture
def support(db: None) -> Client:
    return signed_in(operator("anna", role="support"))


@pytest.fixture
def vip(device: Device, now: datetime) -> Subscription:
    return subscribed(device.viewer_id, now)


def listed(client: Client, **query: str) -> set[Any]:
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


def page(vip: Subscription) -> str:
    return f"{LIST}{vip.id}/change/"


def test_finds_it_by_its_names_and_by_its_viewer(
    support: Client, vip: Subscription, now: datetime
) -> None:
    subscribed(DeviceFactory().viewer_id, now, name="sub-2")
    for term in ("sub-1", "sub-1-1", str(vip.viewer_id), str(vip.id)):
        assert listed(support, q=term) == {vip.pk}, term
    assert listed(support, q="sub") == set()
    assert listed(support, state__exact="expired") == set()
    assert len(listed(support, state__exact="active")) == 2


def test_tells_all_of_it(support: Client, vip: Subscription, now: datetime) -> None:
    applied(now + DAY, refunds=(refund("sub-1-1", now + DAY),))

    answer = support.get(page(vip), headers=clock_headers(now + 2 * DAY))

    shown = answer.context
    assert [row["cause"] for row in shown["timeline"]][-1] == "A store's message"
    assert shown["timeline"][-1]["to"] == "Runs and renews"
    assert "storemessage" in str(shown["timeline"][-1]["message"])
    (period,) = shown["periods"]
    assert (period["gross"], period["back"]) == ("19.99 USD", "19.99 USD")
    (cover,) = shown["covers"]
    assert cover["state"] == "taken back"
    assert shown["is_open"] is False
    assert shown["transfers"] == []


def test_a_list_and_a_page_ask_little(
    support: Client, vip: Subscription, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        subscribed(DeviceFactory().viewer_id, now, name=f"other-{number}")
        subscribed(vip.viewer_id, now + timedelta(seconds=number + 1))
    with django_assert_max_num_queries(LIST_QUERIES) as captured:
        answer = support.get(LIST)
    assert len(answer.context["cl"].result_list) == 13
    assert not any("COUNT(" in q["sql"] and "subscription" in q["sql"] for q in captured)
    with django_assert_max_num_queries(PAGE_QUERIES):
        assert len(support.get(page(vip)).context["timeline"]) == 13


class TestTransfer:
    def test_is_shown_and_then_carried_out(
        self, support: Client, vip: Subscription, device: Device, now: datetime
    ) -> None:
        other, url, at = DeviceFactory(), f"{LIST}{vip.id}/transfer/", clock_headers(now)
        told = {"viewer": str(other.viewer_id), "reason": "Lost the old phone"}
        with untouched():
            preview = support.post(url, told | {"preview": "1"}, headers=at)
        outcome = preview.context["outcome"]
        assert (outcome.before_until, outcome.after_until, outcome.left_until) == (
            None,
            now + 30 * DAY,
            None,
        )
        agreed = told | {"transfer": "1", "shown": preview.context["shown"]}

        done = support.post(url, agreed, headers=at)

        assert done.headers["Location"] == page(vip)
        vip.refresh_from_db()
        assert vip.viewer_id == other.viewer_id
        transfer = SubscriptionTransfer.objects.get()
        assert (transfer.from_viewer_id, str(transfer.asked_by)) == (device.viewer_id, "anna")
        assert Wallet.objects.get(viewer_id=other.viewer_id).covered_until == now + 30 * DAY
        logged = LogEntry.objects.filter(object_id=str(vip.id)).get().get_change_message()
        assert "Lost the old phone" in logged
        assert str(other.viewer_id) in logged
        assert "anna" in support.get(page(vip)).content.decode()

    def test_is_shown_anew_when_something_has_changed(
        self, support: Client, vip: Subscription, now: datetime
    ) -> None:
        other, url, at = DeviceFactory(), f"{LIST}{vip.id}/transfer/", clock_headers(now)
        told = {"viewer": str(other.viewer_id), "reason": "-"}
        preview = support.post(url, told | {"preview": "1"}, headers=at)
        agreed = told | {"transfer": "1", "shown": preview.context["shown"]}
        for changed in ({"reason": "another"}, {"shown": "forged"}, {"shown": ""}):
            with untouched():
                answer = support.post(url, agreed | changed, headers=at)
            assert answer.context["outcome"].outcome == "transferred"
        applied(now, refunds=(refund("sub-1-1", now),))
        with untouched():
            support.post(url, agreed, headers=at)
        assert not SubscriptionTransfer.objects.exists()

    @pytest.mark.parametrize("viewer", ["", "nobody", str(uuid4()), "own"])
    def test_goes_to_a_viewer_alone(
        self, support: Client, vip: Subscription, viewer: str, now: datetime
    ) -> None:
        to = str(vip.viewer_id) if viewer == "own" else viewer
        told = {"viewer": to, "reason": "-", "preview": "1"}
        answer = support.post(f"{LIST}{vip.id}/transfer/", told)
        assert answer.status_code == 200
        assert "viewer" in answer.context["form"].errors

    def test_goes_so_often_and_no_more(
        self, support: Client, vip: Subscription, now: datetime
    ) -> None:
        for _ in range(subscriptions.TRANSFERS):
            subscriptions.transfer(
                vip, viewer_id=DeviceFactory().viewer_id, operator_id=None, now=now
            )
        told = {"viewer": str(DeviceFactory().viewer_id), "reason": "-", "preview": "1"}
        vip.refresh_from_db()
        answer = support.post(f"{LIST}{vip.id}/transfer/", told, headers=clock_headers(now))
        assert "no more" in answer.content.decode()

    def test_takes_a_role(self, vip: Subscription) -> None:
        pricing = signed_in(operator("paul", role="pricing"))
        assert pricing.get(f"{LIST}{vip.id}/transfer/").status_code == 403
        assert pricing.get(page(vip)).status_code == 403
