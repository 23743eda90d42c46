"""Random operations against the ledger and a model of it in plain Python: both agree after each."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from django.conf import settings as django_settings
from django.db import connection
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.payments import ledger_cases
from tests.payments.ledger_twins import PRICES, Stage, Twins, set_stage
from tests.proof import Proof

START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
EXAMPLES, STEPS = 240, 55  # some steps find nothing to do, and 10,000 operations are promised

environments = st.sampled_from(["production", "production", "production", "sandbox"])
names = st.sampled_from(["a", "b", "c", "d", "e"])
refund_names = st.sampled_from(["all", "first", "second"])
numbers = st.integers(1, len(PRICES))
places = st.integers(0, 99)
micros = st.one_of(st.sampled_from([0, 1, 4_990_000]), st.integers(0, 20_000_001))
lasting = st.one_of(
    st.none(),
    st.sampled_from([timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=1)]),
    st.builds(timedelta, seconds=st.integers(1, 300_000)),
)

pytestmark = pytest.mark.django_db(transaction=True)


class Machine(RuleBasedStateMachine):
    """Everything that can happen to one viewer's wallets, in any order."""

    stage: ClassVar[Stage]
    operations: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins(self.stage, START)
        self.steps = 0

    @rule(
        name=names,
        paid=st.integers(1, 300),
        bonus=st.integers(0, 60),
        price=micros,
        environment=environments,
    )
    def buy(self, **what) -> None:
        self.twins.buy(**what)

    @rule(name=names, environment=environments)
    def buy_as_another(self, name: str, environment: str) -> None:
        if name in self.twins.models[environment].purchases:
            self.twins.buy_as_another(name, environment=environment)

    @rule(coins=st.integers(1, 90), value=micros, lasts=lasting, environment=environments)
    def earn(self, **what) -> None:
        self.twins.earn(**what)

    @rule(coins=st.integers(1, 90), lasts=lasting, environment=environments)
    def give_coins(self, **what) -> None:
        self.twins.give_coins(**what)

    @rule(number=numbers, environment=environments)
    def give_episode(self, **what) -> None:
        self.twins.give_episode(**what)

    @rule(days=st.integers(1, 3), environment=environments)
    def give_pass(self, **what) -> None:
        self.twins.give_pass(**what)

    @rule(number=numbers, environment=environments)
    def spend(self, **what) -> None:
        self.twins.spend(**what)

    @rule(number=numbers, environment=environments)
    def spend_again(self, **what) -> None:
        """Twice as often, since everything else follows from it."""
        self.twins.spend(**what)

    @rule(
        number=numbers, environment=environments, key=st.sampled_from("xyz"), is_stale=st.booleans()
    )
    def spend_with_key(self, **what) -> None:
        self.twins.spend(**what)

    @precondition(lambda self: self.twins.kept)
    @rule(place=places)
    def retry(self, place: int) -> None:
        """Asks with an old key for what it was used for."""
        key, (environment, number, _) = list(self.twins.kept.items())[place % len(self.twins.kept)]
        self.twins.spend(number, key=key, environment=environment)

    @rule(number=numbers, environment=environments)
    def play(self, **what) -> None:
        self.twins.play(**what)

    @rule(
        name=names,
        refund=refund_names,
        amount=st.one_of(st.none(), st.integers(1, 9_000_000)),
        environment=environments,
    )
    def refund(self, **what) -> None:
        self.twins.refund(**what)

    @rule(name=names, refund=refund_names, environment=environments)
    def reverse(self, **what) -> None:
        self.twins.reverse(**what)

    @rule(place=places, environment=environments)
    def undo(self, place: int, environment: str) -> None:
        if known := len(self.twins.models[environment].unlocks):
            self.twins.undo(place % known, environment=environment)

    @precondition(lambda self: self.twins.gifts)
    @rule(place=places)
    def revoke(self, place: int) -> None:
        self.twins.revoke(place % len(self.twins.gifts))

    @rule(
        passed=st.sampled_from(
            [timedelta(microseconds=1), timedelta(seconds=1), timedelta(hours=7), timedelta(days=1)]
        )
    )
    def wait(self, passed: timedelta) -> None:
        self.twins.now += passed

    @rule(offset=st.sampled_from([-1, 0, 1]))
    def wait_until_something_ends(self, offset: int) -> None:
        """To the microsecond before, at or after the next end of a lot or a pass."""
        ends = [
            end
            for model in self.twins.models.values()
            for end in [*(lot.expires_at for lot in model.lots), *(p.ends_at for p in model.passes)]
            if end and end > self.twins.now + timedelta(microseconds=1)
        ]
        if ends:
            self.twins.now = min(ends) + timedelta(microseconds=offset)

    @rule()
    def lapse(self) -> None:
        self.twins.lapse()

    @invariant()
    def both_are_alike(self) -> None:
        self.twins.compare()
        self.steps += 1
        if self.steps % 10 == 0:
            self.twins.verify()

    def teardown(self) -> None:
        self.twins.verify()
        type(self).operations += self.twins.operations
        clear()


def clear() -> None:
    """Leaves the stage as it was: the rules of the ledger are re-added over one viewer's rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")  # the application may truncate nothing
        cursor.execute(
            "TRUNCATE payments_wallet, payments_transfer, payments_cover, payments_grant,"
            " payments_refund, payments_idempotencyrecord CASCADE"
        )
        cursor.execute(f'SET ROLE "{django_settings.DATABASE_ROLE}"')


@pytest.fixture
def stage() -> Stage:
    return set_stage(START)


@pytest.mark.parametrize("case", ledger_cases.CASES, ids=lambda case: case.__name__)
def test_what_was_once_wrong_stays_right(
    stage: Stage, case: Callable[[Twins], Iterator[None]]
) -> None:
    twins = Twins(stage, START)
    for _ in case(twins):
        twins.compare()
    twins.compare()
    twins.verify()


def test_random_operations_end_alike(stage: Stage, proof: Proof) -> None:
    Machine.stage, Machine.operations = stage, 0
    machine = seed(proof.seed)(Machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES if proof.is_full else EXAMPLES // 20,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    proof.count = Machine.operations
    proof.record("P1", "operations on the ledger and on its model", violations=0)
