"""A subscription beside passes, grants and other subscriptions of the same viewer."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from payments.models import Wallet
from payments.providers.base import State
from tests.factories.payments import buy_pass, give_cover
from tests.factories.viewers import viewer_headers
from tests.payments.ledger.days.story import money_back
from tests.payments.subscribing import DAY, WEEK, Story, covered_until, is_open, plan, tell
from viewers.models import Device


@pytest.fixture
def story(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan())


def test_a_pass_begins_where_the_subscriptions_period_ends(
    device: Device, story: Story, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    bought = buy_pass(device.viewer_id, now=now + DAY)

    assert (bought.starts_at, bought.ends_at) == (story.begins(1), story.begins(2))
    assert covered_until(device.viewer_id, at=now + DAY) == story.begins(2)


def test_a_renewal_lies_on_the_pass_and_neither_ends_the_other(
    device: Device, story: Story, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    bought = buy_pass(device.viewer_id, now=now + DAY)
    tell(story.paid(1), now=story.begins(1))
    assert covered_until(device.viewer_id, at=story.begins(1)) == story.begins(2)

    money_back(bought, story.begins(1) + DAY)
    assert is_open(story, at=story.begins(1) + DAY)

    tell(story.says(State.REVOKED, at=story.begins(1) + 2 * DAY), now=story.begins(1) + 2 * DAY)
    assert covered_until(device.viewer_id, at=story.begins(1) + 2 * DAY) is None


def test_a_subscription_that_begins_during_a_pass_or_a_grant_covers_at_once(
    device: Device, story: Story, now: datetime
) -> None:
    bought = buy_pass(device.viewer_id, now=now - DAY)
    give_cover(device.viewer_id, starts_at=now - DAY, ends_at=now + 10 * DAY)
    tell(story.paid(0), now=now)

    assert covered_until(device.viewer_id, at=now) == now + 10 * DAY
    tell(story.says(State.PAUSED, at=now + DAY), now=now + DAY)
    assert covered_until(device.viewer_id, at=now + DAY) == now + 10 * DAY
    assert bought.ends_at < now + WEEK


def test_two_subscriptions_cover_and_end_apart(device: Device, story: Story, now: datetime) -> None:
    other = Story(device.viewer_id, now + DAY, plan(), name="sub-2")
    tell(story.paid(0), now=now)
    tell(other.paid(0), now=now + DAY)
    assert covered_until(device.viewer_id, at=now + DAY) == other.begins(1)

    tell(other.refund(0, at=now + 2 * DAY), now=now + 2 * DAY)
    assert covered_until(device.viewer_id, at=now + 2 * DAY) == story.begins(1)


def test_the_wallet_knows_until_when_to_look(device: Device, story: Story, now: datetime) -> None:
    def known() -> datetime | None:
        return Wallet.objects.get(viewer_id=device.viewer_id).covered_until

    tell(story.paid(0), now=now)
    tell(story.paid(1, at=now + DAY * 5), now=now + DAY * 6)
    assert known() == story.begins(2)
    tell(story.refund(1, at=now + DAY * 6), now=now + DAY * 6)
    assert known() == story.begins(1)
    tell(story.says(State.REVOKED, at=now + DAY * 6), now=now + DAY * 6)
    assert known() is None


def test_the_viewer_sees_what_covers_them_and_by_which_product(
    api: Client, device: Device, story: Story, now: datetime
) -> None:
    tell(story.paid(0), now=now)

    body: Any = api.get("/v1/me/passes", headers=viewer_headers(device, now=now)).json()

    (cover,) = body["covers"]
    assert story.product.pass_product is not None
    assert (cover["source"], cover["state"]) == ("subscription", "running")
    assert cover["subscription_id"] == str(story.row().id)
    assert (cover["pass_id"], cover["pass_code"], cover["pass_title"]) == (
        str(story.product.pass_product.id),
        story.product.pass_product.code,
        "VIP",
    )
    assert cover["purchase_id"] is None
