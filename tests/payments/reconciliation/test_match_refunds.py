"""Refunds are held against each other by name, then by what is left, and never by what was given back long ago."""

from datetime import UTC, datetime, timedelta

from payments.providers.base import Listed, ListedKind
from payments.reconciliation.comparing import OurRefund, Ours, Theirs, compare, match

NOW = datetime(2026, 3, 14, tzinfo=UTC)
DAY = timedelta(days=1)


def ours(**refunds: OurRefund) -> Ours:
    return Ours(
        currency="USD",
        gross_micros=10_000_000,
        purchased_at=NOW - 60 * DAY,
        is_expected=False,
        refunds={name.replace("operator_", "operator:"): one for name, one in refunds.items()},
    )


def booked(
    micros: int, days: float, *, is_expected: bool = True, is_by_operator: bool = False
) -> OurRefund:
    return OurRefund(
        gross_micros=micros,
        refunded_at=NOW - days * DAY,
        is_expected=is_expected,
        is_by_operator=is_by_operator,
    )


def theirs(**amounts: tuple[int | None, float]) -> Theirs:
    found = Theirs()
    found.add(_line(ListedKind.SALE, "pi", 10_000_000, 60))
    for name, (micros, days) in amounts.items():
        found.add(_line(ListedKind.REFUND, name.replace("operator_", "operator:"), micros, days))
    return found


def _line(kind: ListedKind, name: str, micros: int | None, days: float) -> Listed:
    return Listed(
        kind=kind,
        environment="production",
        line_id=name,
        transaction_id="pi",
        amount_micros=micros,
        currency="USD",
        occurred_at=NOW - days * DAY,
    )


def found(here: Ours, there: Theirs) -> set[tuple[str, str]]:
    return {(one.cause.value, one.line_id) for one in compare(here, there, until=NOW)}


def test_the_second_of_two_equal_parts_is_missed_though_the_first_came_to_as_much() -> None:
    here = ours(re_1=booked(3_000_000, 30, is_expected=False))
    assert found(here, theirs(re_2=(3_000_000, 2))) == {("refund_missing_here", "re_2")}


def test_an_operators_refund_of_these_days_is_the_stores_by_another_name() -> None:
    here = ours(operator_1=booked(3_000_000, 2, is_by_operator=True))
    assert found(here, theirs(re_1=(3_000_000, 2))) == set()


def test_an_operators_refund_of_long_ago_hides_none() -> None:
    here = ours(operator_1=booked(3_000_000, 30, is_expected=False, is_by_operator=True))
    assert found(here, theirs(re_2=(3_000_000, 2))) == {("refund_missing_here", "re_2")}


def test_amounts_of_one_name_are_compared_whatever_else_is_wrong() -> None:
    here = ours(re_1=booked(2_000_000, 2))
    there = theirs(re_1=(3_000_000, 2), re_2=(1_000_000, 2))
    assert found(here, there) == {("amount_differs", "re_1"), ("refund_missing_here", "re_2")}


def test_the_rest_of_a_price_is_as_much_as_was_left() -> None:
    here = ours(re_1=booked(2_000_000, 30, is_expected=False), all=booked(8_000_000, 2))
    assert found(here, theirs(all=(None, 2))) == set()
    assert found(here, theirs(all=(10_000_000, 2))) == set()
    assert found(here, theirs(all=(7_000_000, 2))) == {("amount_differs", "all")}


def test_all_that_a_store_knows_is_matched_by_name_by_sum_and_by_amount() -> None:
    operators = booked(3_000_000, 30, is_by_operator=True)
    same = match(ours(operator_1=operators), theirs(a=(1_000_000, 30), b=(2_000_000, 30)))
    assert (set(same.ours), set(same.theirs)) == ({"operator:1"}, {"a", "b"})
    lost = match(ours(operator_1=operators), theirs(new=(3_000_000, 2), old=(3_000_000, 29)))
    assert (set(lost.ours), set(lost.theirs)) == ({"operator:1"}, {"old"})
    stores = match(ours(re_1=booked(3_000_000, 30)), theirs(re_2=(3_000_000, 2), re_3=(1, 2)))
    assert (set(stores.ours), set(stores.theirs)) == (set(), set())
