"""Sequences that once ended wrongly, or would with one line of the money code changed.

They are told to the ledger and to its model, which are compared at each `yield`.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from tests.payments.ledger_twins import Twins

INSTANT, DAY = timedelta(microseconds=1), timedelta(days=1)


def asking_for_a_locked_episode_marked_open_ones_after_it_as_played(twins: Twins) -> Iterator[None]:
    twins.give_episode(7)
    twins.play(6)
    yield
    twins.play(7)


def the_largest_purchase_is_divided_to_the_micro(twins: Twins) -> Iterator[None]:
    """Its products are beyond what a float holds exactly."""
    twins.buy("a", paid=9_999_991, bonus=9_999_973, price=99_999_999_977)
    for number in (12, 11, 10, 9):
        twins.spend(number)
        yield
    twins.refund("a", amount=33_333_333_331)


def a_lot_that_is_emptied_leaves_no_value(twins: Twins) -> Iterator[None]:
    """1 ÷ 49 × 49 is less than 1 in floats."""
    twins.buy("a", paid=49, bonus=0, price=1_470_588)
    twins.earn(49, value=1)
    for number in (8, 6, 2):
        twins.spend(number)
    yield
    twins.earn(49, value=1_000_003)
    twins.spend(9)


def a_refund_that_happens_again_after_its_reversal_stands(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=60, bonus=10, price=7_000_000)
    twins.spend(9)
    twins.play(9)
    twins.refund("a", amount=3_000_000)
    twins.now += timedelta(seconds=1)
    twins.reverse("a")
    yield
    twins.refund("a", amount=5_000_000)  # at the moment of its reversal
    yield
    twins.now += timedelta(seconds=1)
    twins.refund("a", amount=2_000_000)
    yield
    twins.refund("a", amount=4_000_000)  # at the same moment, the larger counts
    twins.refund("a", amount=1_000_000)
    yield
    twins.refund("a", refund="first", amount=1_000_000)
    twins.now += timedelta(seconds=1)
    twins.refund("a")


def what_repaid_a_debt_repays_what_is_owed_again(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=60, bonus=0, price=6_000_000)
    twins.spend(10)
    twins.play(10)
    twins.refund("a", refund="first", amount=3_000_000)
    twins.now += timedelta(seconds=1)
    twins.refund("a", refund="second", amount=3_000_000)
    twins.earn(55)
    yield
    twins.reverse("a", refund="first")
    yield
    twins.now += timedelta(seconds=1)
    twins.reverse("a", refund="second")


def an_unlock_stays_that_coins_helped_to_pay_which_have_expired(twins: Twins) -> Iterator[None]:
    twins.earn(5, lasts=DAY)
    twins.buy("a", paid=20, bonus=0, price=2_000_000)
    twins.spend(6)
    twins.spend(5)
    twins.now += DAY
    yield
    twins.refund("a")


def a_refund_of_a_part_takes_the_bonus_first(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=100, bonus=30, price=13_000_003)
    twins.refund("a", refund="first", amount=2_000_000)
    yield
    twins.refund("a", refund="second", amount=3_333_333)
    yield
    twins.refund("a")


def a_refund_leaves_the_coins_of_other_purchases(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=30, bonus=4, price=1_000_000)
    twins.buy("b", paid=50, bonus=6, price=2_000_000)
    twins.earn(9, value=500)
    twins.spend(9)
    yield
    twins.play(9)
    twins.refund("a")
    yield
    twins.refund("b")


def a_free_purchase_is_refunded_once(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=40, bonus=3, price=0)
    twins.spend(6)
    twins.play(6)
    twins.refund("a", refund="first")
    yield
    twins.refund("a", refund="second")
    yield
    twins.reverse("a", refund="first")


def a_pass_that_begins_later_covers_nothing_before(twins: Twins) -> Iterator[None]:
    twins.give_pass(1)
    twins.give_pass(1)
    twins.revoke(0)
    twins.spend(3)
    yield
    twins.now += DAY - INSTANT
    twins.spend(3)
    twins.now += INSTANT
    twins.spend(3)
    yield
    twins.now += DAY
    twins.spend(3)
    twins.play(3)


def a_pass_ends_and_takes_what_it_opened_with_it(twins: Twins) -> Iterator[None]:
    twins.give_pass(2)
    twins.spend(5)
    twins.play(6)
    yield
    twins.revoke(0)
    twins.play(5)


def an_unlock_is_not_restored_out_of_a_lot_that_has_expired(twins: Twins) -> Iterator[None]:
    twins.earn(10, lasts=DAY)
    twins.buy("a", paid=20, bonus=0, price=5_000_000)
    twins.spend(6)
    twins.refund("a")
    twins.now += DAY
    yield
    twins.reverse("a")
    twins.spend(6)


def coins_that_come_back_to_an_expired_lot_lapse_again(twins: Twins) -> Iterator[None]:
    twins.earn(10, value=900, lasts=DAY)
    twins.buy("a", paid=20, bonus=0, price=5_000_000)
    twins.spend(4)
    twins.now += DAY - INSTANT
    twins.lapse()
    twins.now += INSTANT
    twins.lapse()
    yield
    twins.undo(0)
    yield
    twins.lapse()
    twins.lapse()


def an_unlock_that_is_owed_for_is_not_undone_until_the_refund_is(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=21, bonus=0, price=5_000_000)
    twins.spend(7)
    twins.play(7)
    twins.refund("a", amount=1_000_000)
    twins.undo(0)
    yield
    twins.reverse("a")
    twins.undo(0)
    yield
    twins.undo(0)
    twins.spend(7)


def two_debts_and_what_repaid_them(twins: Twins) -> Iterator[None]:
    for name, number in (("a", 9), ("b", 8)):
        twins.buy(name, paid=60, bonus=0, price=4_000_000)
        twins.spend(number)
        twins.play(number)
        twins.refund(name)
    yield
    twins.buy("c", paid=10, bonus=5, price=1_000_000)
    twins.earn(50, value=700)
    twins.give_coins(11)
    yield
    twins.reverse("a")
    yield
    twins.reverse("b")


def a_gift_is_taken_back_as_far_as_it_is_left(twins: Twins) -> Iterator[None]:
    twins.give_coins(40, lasts=DAY)
    twins.give_coins(10)
    twins.spend(8)
    yield
    twins.revoke(0)
    twins.revoke(0)
    yield
    twins.undo(0)
    twins.revoke(1)


def a_refusal_stays_one_for_its_key_after_a_top_up(twins: Twins) -> Iterator[None]:
    twins.spend(10, key="x")
    twins.buy("a", paid=100, bonus=0, price=1_000_000)
    twins.spend(10, key="x")
    twins.spend(10, key="x", is_stale=True)
    yield
    twins.spend(9, key="x")
    twins.spend(10, key="x", environment="sandbox")
    twins.spend(10, key="y")
    twins.spend(10, key="y")


def production_and_sandbox_are_two_of_everything(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=100, bonus=10, price=1_000_000)
    twins.buy("a", paid=100, bonus=10, price=1_000_000, environment="sandbox")
    twins.give_coins(7, environment="sandbox")
    twins.give_pass(1, environment="sandbox")
    twins.spend(9)
    twins.spend(9, environment="sandbox")
    yield
    twins.refund("a", environment="sandbox")
    twins.refund("b", environment="sandbox")
    twins.buy("b", paid=50, bonus=0, price=1_000_000)
    yield
    twins.buy_as_another("b")


def a_lot_is_spent_until_the_microsecond_it_expires(twins: Twins) -> Iterator[None]:
    twins.buy("a", paid=30, bonus=2, price=1_000_000)
    twins.earn(2, lasts=2 * DAY)
    twins.earn(2, lasts=DAY)
    twins.earn(2)
    twins.spend(2)
    yield
    twins.now += DAY - INSTANT
    twins.spend(1)
    twins.now += INSTANT
    twins.spend(5)


CASES: list[Callable[[Twins], Iterator[None]]] = [
    case for name, case in list(globals().items()) if getattr(case, "__module__", "") == __name__
]
