"""A subscription that takes another's place, as Google has it: an upgrade, another plan, a return before the end."""

from datetime import datetime
from itertools import permutations

import pytest
from django.db import transaction

from payments.models import Cover, PassPurchase, Subscription, SubscriptionCover
from payments.providers.base import State
from payments.store import subscriptions
from payments.store.owners import Unclaimed
from tests.factories.viewers import DeviceFactory
from tests.payments.subscribing import (
    DAY,
    Story,
    covered_until,
    is_open,
    plan,
    state_of_everything,
    tell,
)
from tests.payments.untouched import untouched
from viewers.models import Device


@pytest.fixture
def old(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan(), name="old")


@pytest.fixture
def new(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now + 2 * DAY, plan(title="Premium"), name="new")


def test_the_replaced_one_closes_as_the_other_opens(old: Story, new: Story, now: datetime) -> None:
    tell(old.paid(0), now=now)
    tell(new.paid(0, replaces="old"), now=new.start)

    assert not is_open(old, at=new.start)
    assert is_open(new, at=new.start)
    assert covered_until(old.viewer_id, at=new.start) == new.begins(1)
    assert old.row().covers.get().ended_by == "replaced"
    # Its store may still say that it runs.
    tell(old.paid(1), now=old.begins(1))
    assert not is_open(old, at=old.begins(1))
    assert PassPurchase.objects.count() == 3


def test_one_that_is_not_paid_yet_takes_no_place(old: Story, new: Story, now: datetime) -> None:
    tell(old.paid(0), now=now)
    tell(new.says(State.PENDING, at=new.start, replaces="old"), now=new.start)
    assert is_open(old, at=new.start)

    # What tells that it is paid does not name the other any more.
    tell(new.paid(0, at=new.start + DAY), now=new.start + DAY)

    assert not is_open(old, at=new.start + DAY)
    assert new.row().replaces == "old"


def test_the_replaced_one_stays_closed_when_the_other_ends(
    old: Story, new: Story, now: datetime
) -> None:
    tell(old.paid(0), now=now)
    tell(new.paid(0, replaces="old"), now=new.start)
    tell(
        new.says(State.EXPIRED, at=new.start + DAY, replaces="old"),
        new.refund(0, at=new.start + DAY),
        now=new.start + DAY,
    )

    assert covered_until(old.viewer_id, at=new.start + DAY) is None


def test_told_later_than_its_successor_it_never_opens(
    old: Story, new: Story, now: datetime
) -> None:
    tell(new.paid(0, replaces="old"), now=new.start)
    tell(old.paid(0), now=new.start)

    assert not is_open(old, at=new.start)
    assert not SubscriptionCover.objects.filter(subscription=old.row()).exists()
    assert PassPurchase.objects.count() == 2


def test_a_chain_leaves_the_last_open_in_every_order(old: Story, new: Story, now: datetime) -> None:
    last = Story(old.viewer_id, now + 3 * DAY, plan(), name="last")
    told = [old.paid(0), new.paid(0, replaces="old"), last.paid(0, replaces="new")]
    endings = []
    for order in permutations(told):
        with transaction.atomic():
            for each in order:
                tell(each, now=last.start)
            endings.append(state_of_everything(at=last.start))
            transaction.set_rollback(True)

    assert all(each == endings[0] for each in endings)
    assert endings[0]["covered"] == {"last": last.begins(1)}


def test_which_one_it_replaced_is_the_latest_word_in_every_order(
    old: Story, new: Story, now: datetime
) -> None:
    """No store says two, and if one did both orders would end alike."""
    other = Story(old.viewer_id, now, plan(), name="other")
    told = [
        old.paid(0),
        other.paid(0),
        new.paid(0, replaces="old"),
        new.paid(0, at=new.start + DAY, replaces="other"),
    ]
    for order in permutations(told):
        with transaction.atomic():
            for each in order:
                tell(each, now=new.start + DAY)
            assert new.row().replaces == "other"
            assert (is_open(old, at=new.start + DAY), is_open(other, at=new.start + DAY)) == (
                True,
                False,
            )
            transaction.set_rollback(True)


class TestWhoseTheSuccessorIs:
    def test_without_a_token_the_replaced_ones(self, old: Story, new: Story, now: datetime) -> None:
        tell(old.paid(0), now=now)
        tell(new.paid(0, replaces="old", account_token=None), now=new.start)

        assert new.row().viewer_id == old.viewer_id

    def test_nobodys_until_the_replaced_one_is_known(
        self, old: Story, new: Story, now: datetime
    ) -> None:
        told = new.paid(0, replaces="old", account_token=None)
        with untouched(), pytest.raises(Unclaimed):
            tell(told, now=new.start)

        tell(old.paid(0), now=new.start)
        tell(told, now=new.start)
        assert Subscription.objects.values("viewer").distinct().count() == 1

    def test_its_tokens_whichever_is_told_first(
        self, old: Story, new: Story, now: datetime
    ) -> None:
        """Somebody else bought it with the same account of the store."""
        buyer = DeviceFactory().viewer_id
        told = [old.paid(0), new.paid(0, replaces="old", account_token=buyer)]
        for order in (told, told[::-1]):
            with transaction.atomic():
                for each in order:
                    tell(each, now=new.start)
                assert (old.row().viewer_id, new.row().viewer_id) == (old.viewer_id, buyer)
                assert (is_open(old, at=new.start), is_open(new, at=new.start)) == (False, True)
                transaction.set_rollback(True)

    def test_whose_the_replaced_one_is_by_now(self, old: Story, new: Story, now: datetime) -> None:
        heir = DeviceFactory().viewer_id
        tell(old.paid(0), now=now)
        subscriptions.transfer(old.row(), viewer_id=heir, operator_id=None, now=now)
        tell(new.paid(0, replaces="old", account_token=None), now=new.start)

        assert new.row().viewer_id == heir
        assert set(Cover.objects.filter(closed_at=None).values_list("viewer", flat=True)) == {heir}
