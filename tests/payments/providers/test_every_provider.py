"""What `payments.providers.base` promises, held to every store: in the same situations, with the same outcome."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import clock
from payments.providers.base import (
    Fact,
    Facts,
    Fault,
    Known,
    Listens,
    Numbers,
    Owed,
    PaidPeriod,
    Payment,
    ProviderError,
    RawMessage,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from tests.payments.providers.stalls import (
    PACK,
    PLAN,
    PRICE_MICROS,
    STALLS,
    VIEWER,
    Stall,
)

Kind = TypeVar("Kind")
SPOILED = ("status", "html", "truncated", "reset")
few = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", params=STALLS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stall]:
    """A store for all tests here."""
    name: str = request.param
    stall = STALLS[name](tmp_path_factory.mktemp(name))
    yield stall
    stall.close()


@pytest.fixture
def stall(opened: Stall) -> Iterator[Stall]:
    """The store, of which nothing waits to be heard."""
    opened.heard()
    yield opened
    opened.fails()


def facts_of(stall: Stall) -> Facts:
    """What everything that was told since stands for."""
    return tuple(
        fact for message in stall.heard() for fact in stall.adapter.facts_of(message, now=stall.now)
    )


def only(kind: type[Kind], found: tuple[Fact, ...]) -> Kind:
    """The one fact of a kind, however often it was told."""
    (fact,) = {repr(one): one for one in found if isinstance(one, kind)}.values()
    return fact


def fault_of(call: Callable[[], object]) -> Fault | None:
    """What is wrong with a call, None if nothing is."""
    try:
        call()
    except ProviderError as error:
        return error.fault
    return None


def period_of(fact: SubscriptionSnapshot) -> PaidPeriod:
    assert fact.period is not None
    return fact.period


def test_what_an_app_hands_in_is_what_was_bought(stall) -> None:
    (fact,) = stall.adapter.submitted(stall.buy(), now=stall.now)
    assert isinstance(fact, StoreTransaction)
    assert (fact.environment, fact.store_product_id, fact.quantity) == ("production", PACK, 1)
    assert (fact.price_micros, fact.currency) == (PRICE_MICROS, "USD")
    assert (fact.account_token, fact.payment) == (VIEWER, Payment.PAID)
    assert abs(fact.purchased_at - stall.now) < timedelta(minutes=5)


def test_two_purchases_have_two_names(stall) -> None:
    first, second = (
        only(StoreTransaction, stall.adapter.submitted(stall.buy(), now=stall.now))
        for _ in range(2)
    )
    assert first.transaction_id != second.transaction_id


def test_the_app_the_notification_and_the_history_tell_the_same_facts(stall) -> None:
    since = stall.now - timedelta(minutes=1)
    by_app = only(StoreTransaction, stall.adapter.submitted(stall.buy(), now=stall.now))
    assert only(StoreTransaction, facts_of(stall)) == by_app
    missed = [
        fact
        for message in stall.adapter.missed(
            environment="production", since=since, until=stall.now + timedelta(minutes=1)
        )
        for fact in stall.adapter.facts_of(message, now=stall.now)
        if isinstance(fact, StoreTransaction) and fact.transaction_id == by_app.transaction_id
    ]
    assert stall.has_history == bool(missed)
    assert all(one == by_app for one in missed)


def test_a_message_that_comes_again_has_the_same_name_and_another_has_another(stall) -> None:
    stall.buy()
    stall.buy()
    told = stall.heard()
    first = [stall.adapter.read_message(one, now=clock.read()) for one in told]
    assert [stall.adapter.read_message(one, now=clock.read()) for one in told] == first
    assert len({one.event_id for one in first}) == len(told) >= 2
    assert all(one.environment == "production" for one in first)
    assert all(one.event_id and one.type for one in first)


def test_history_tells_a_message_under_the_name_under_which_it_came(stall) -> None:
    if not stall.has_history:
        assert (
            list(
                stall.adapter.missed(
                    environment="production", since=stall.now - timedelta(days=1), until=stall.now
                )
            )
            == []
        )
        return
    since = stall.now - timedelta(minutes=1)
    stall.buy()
    came = {stall.adapter.read_message(one, now=clock.read()).event_id for one in stall.heard()}
    kept = {
        stall.adapter.read_message(one, now=clock.read()).event_id
        for one in stall.adapter.missed(
            environment="production", since=since, until=stall.now + timedelta(minutes=1)
        )
    }
    assert came <= kept


def test_the_history_of_each_environment_is_read_by_itself(stall) -> None:
    stall.buy()
    environments = stall.adapter.histories()
    assert "production" in environments
    assert len(set(environments)) == len(environments)
    for environment in environments:
        kept = stall.adapter.missed(
            environment=environment,
            since=stall.now - timedelta(minutes=1),
            until=stall.now + timedelta(minutes=1),
        )
        told = {stall.adapter.read_message(one, now=clock.read()).environment for one in kept}
        assert told <= {environment}


def test_a_subscription_is_the_same_whoever_tells_of_it(stall) -> None:
    handed_in, name = stall.subscribe()
    by_app = only(SubscriptionSnapshot, stall.adapter.submitted(handed_in, now=stall.now))
    assert (by_app.subscription_id, by_app.store_product_id) == (name, PLAN)
    assert (by_app.state, by_app.renews_as, by_app.account_token) == (State.ACTIVE, PLAN, VIEWER)
    assert by_app.access_until == period_of(by_app).ends_at
    told = [one for one in facts_of(stall) if isinstance(one, SubscriptionSnapshot)]
    assert {one.subscription_id for one in told} == {name}
    assert {repr(period_of(one)) for one in told} == {repr(by_app.period)}


def test_a_renewal_is_another_payment_of_the_same_subscription(stall) -> None:
    handed_in, name = stall.subscribe()
    first = period_of(only(SubscriptionSnapshot, stall.adapter.submitted(handed_in, now=stall.now)))
    stall.heard()
    stall.renew(name)
    told = [
        one
        for one in facts_of(stall)
        if isinstance(one, SubscriptionSnapshot) and one.subscription_id == name
    ]
    second = period_of(max(told, key=lambda one: (one.as_of, period_of(one).starts_at)))
    assert second.transaction_id != first.transaction_id
    assert second.starts_at == first.ends_at
    assert (second.price_micros, second.currency) == (first.price_micros, first.currency)


def test_a_period_between_is_looked_up_where_the_last_alone_is_told(stall) -> None:
    if not isinstance(stall.adapter, Numbers):
        return
    handed_in, name = stall.subscribe()
    first = only(SubscriptionSnapshot, stall.adapter.submitted(handed_in, now=stall.now))
    stall.renew(name)
    stall.renew(name)
    last = period_of(
        only(
            SubscriptionSnapshot,
            stall.adapter.subscription(
                environment="production", subscription_id=name, now=stall.now
            ),
        )
    )
    before = list(stall.adapter.before(last.transaction_id))
    assert len(before) == 2
    assert before[-1] == period_of(first).transaction_id
    assert list(stall.adapter.before(before[-1])) == []
    found = [
        stall.adapter.looked_up(
            Known(environment="production", transaction_id=one, purchased_at=last.purchased_at),
            now=stall.now,
        )
        for one in before
    ]
    periods = [period_of(only(SubscriptionSnapshot, one)) for one in found]
    assert [one.transaction_id for one in periods] == before
    assert periods[0].ends_at == last.starts_at
    assert periods[1] == period_of(first)


def test_the_store_is_asked_for_a_subscription_by_the_name_that_it_told(stall: Stall) -> None:
    _, name = stall.subscribe()

    def ask() -> Facts:
        return stall.adapter.subscription(
            environment="production", subscription_id=name, now=stall.now
        )

    if Fault.UNAVAILABLE in stall.lacks:
        assert fault_of(ask) is Fault.GONE
        return
    assert only(SubscriptionSnapshot, ask()).subscription_id == name


def test_a_refund_names_the_transaction_that_was_credited(stall) -> None:
    handed_in = stall.buy()
    bought = only(StoreTransaction, stall.adapter.submitted(handed_in, now=stall.now))
    stall.heard()
    stall.give_back(handed_in)
    refund = only(StoreRefund, facts_of(stall))
    assert refund.transaction_id == bought.transaction_id
    assert refund.refunded_at is not None
    assert refund.amount_micros in {None, PRICE_MICROS}
    assert refund.share_parts_per_million in {None, 1_000_000}


@pytest.mark.parametrize(
    "fault", [one for one in Fault if one not in {Fault.GONE, Fault.UNAVAILABLE}]
)
def test_a_wrong_message_is_refused_for_what_is_wrong(stall, fault) -> None:
    wrong = stall.wrong_messages()
    if fault not in wrong:
        assert fault in stall.lacks | {Fault.OTHER_ENVIRONMENT}
        return
    adapter, message = wrong[fault]
    assert fault_of(lambda: adapter.read_message(message, now=clock.read())) is fault


def test_what_another_environment_sold_is_not_told_as_ours(stall) -> None:
    _, name = stall.subscribe()
    found = fault_of(
        lambda: stall.adapter.subscription(
            environment="sandbox", subscription_id=name, now=stall.now
        )
    )
    assert found in {Fault.OTHER_ENVIRONMENT, Fault.GONE}


def test_nonsense_that_an_app_hands_in_is_malformed(stall) -> None:
    for nonsense in ("", "nonsense", "{}", "[]", "\x00", "a.b.c", "é" * 100):
        found = fault_of(lambda given=nonsense: stall.adapter.submitted(given, now=stall.now))
        assert found in {Fault.MALFORMED, Fault.FORGED}, nonsense


def test_what_the_store_does_not_know_is_gone(stall) -> None:
    found = fault_of(
        lambda: stall.adapter.subscription(
            environment="production",
            subscription_id=stall.unknown_subscription(),
            now=stall.now,
        )
    )
    assert found is Fault.GONE


@pytest.mark.parametrize("kind", SPOILED)
def test_a_store_in_trouble_is_unavailable_and_nothing_else(stall, kind) -> None:
    if Fault.UNAVAILABLE in stall.lacks:
        pytest.skip("the fake store has nobody to ask")
    _, name = stall.subscribe()
    stall.fails({"kind": kind, "matching": "subscriptions"})
    with pytest.raises(ProviderError) as refusal:
        stall.adapter.subscription(environment="production", subscription_id=name, now=stall.now)
    assert refusal.value.fault is Fault.UNAVAILABLE
    assert not refusal.value.permanent


def test_telling_a_store_twice_that_it_was_delivered_changes_nothing(stall) -> None:
    if not isinstance(stall.adapter, Listens):
        assert (
            only(StoreTransaction, stall.adapter.submitted(stall.buy(), now=stall.now)).owed is None
        )
        return
    handed_in = stall.buy()
    bought = only(StoreTransaction, stall.adapter.submitted(handed_in, now=stall.now))
    assert bought.owed is Owed.CONSUME
    for _ in range(3):
        stall.adapter.delivered(
            environment=bought.environment,
            subject=bought.transaction_id,
            store_product_id=bought.store_product_id,
            owed=bought.owed,
        )
    after = only(StoreTransaction, stall.adapter.submitted(handed_in, now=stall.now))
    assert after.owed is None


@few
@given(cents=st.integers(1, 1_000_000))
def test_money_is_exact_to_the_cent(opened, cents) -> None:
    handed_in = opened.buy(cents * 10_000)
    bought = only(StoreTransaction, opened.adapter.submitted(handed_in, now=opened.now))
    assert bought.price_micros == cents * 10_000
    assert type(bought.price_micros) is int


@pytest.fixture(scope="module")
def genuine(opened: Stall) -> tuple[str, RawMessage]:
    """Something bought, and what was told of it."""
    opened.heard()
    handed_in = opened.buy()
    return handed_in, opened.heard()[0]


@few
@given(data=st.data())
def test_nothing_but_a_refusal_comes_of_damaged_messages(opened, genuine, data) -> None:
    _, message = genuine
    body = bytearray(message.body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    headers = {
        name: data.draw(st.one_of(st.just(value), st.text(max_size=40)))
        for name, value in message.headers.items()
    }
    damaged = RawMessage(headers, bytes(body[: data.draw(st.integers(0, len(body)))]))
    with suppress(ProviderError):
        opened.adapter.read_message(damaged, now=opened.now)
    with suppress(ProviderError):
        opened.adapter.facts_of(damaged, now=opened.now)


@few
@given(data=st.data())
def test_nothing_but_a_refusal_comes_of_damaged_transactions(opened, genuine, data) -> None:
    handed_in, _ = genuine
    letters = list(handed_in)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(letters) - 1))
        letters[place] = data.draw(st.characters())
    with suppress(ProviderError):
        opened.adapter.submitted("".join(letters), now=opened.now)
    with suppress(ProviderError):
        opened.adapter.submitted(data.draw(st.text()), now=opened.now)


def test_adapters_run_without_django() -> None:
    asked = "import sys, payments.providers.registry; sys.exit('django' in sys.modules)"
    project = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", asked], cwd=project, check=False).returncode == 0
