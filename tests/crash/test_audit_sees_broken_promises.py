"""The audit of the crash tests can fail: each promise, broken by hand, is named."""

import dataclasses
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.crash import purchase_audit, unlock_audit
from tests.crash.audit import Facts, violations
from tests.crash.journal import Call, Journal, Purchase, Unlock, read
from tests.crash.purchase_audit import Purchased, Purchases
from tests.crash.unlock_audit import Unlocked, Unlocks

VIEWER, PRICE_COINS, PACK_COINS, INITIAL_COINS = uuid4(), 60, 330, 1000
BALANCE = "a balance is what was there plus what was bought minus what was spent"


def unlock_and_row() -> tuple[Call, Unlocked]:
    """An unlock as a client was told of it, and as the database has it."""
    row = Unlocked(uuid4(), VIEWER, uuid4(), uuid4(), uuid4(), PRICE_COINS)
    body = unlock_body("unlocked", row.entitlement_id)
    return Call(uuid4().hex, Unlock(VIEWER, row.episode_id), [body]), row


def purchase_and_row() -> tuple[Call, Purchased]:
    """A purchase as a client was told of it, and as the database has it."""
    row = Purchased(uuid4(), VIEWER, f"crash-{uuid4()}", uuid4(), PACK_COINS)
    errand = Purchase(VIEWER, row.transaction_id, "signed")
    return Call(uuid4().hex, errand, [purchase_body(row, credited_now=True)]), row


def unlock_body(outcome: str, entitlement_id: UUID | None) -> str:
    return msgspec.json.encode({"outcome": outcome, "entitlement_id": entitlement_id}).decode()


def purchase_body(row: Purchased, *, credited_now: bool) -> str:
    told = {
        "purchase_id": row.id,
        "transaction_id": row.transaction_id,
        "coins": row.coins,
        "credited_now": credited_now,
    }
    return msgspec.json.encode(told).decode()


UNLOCKS, UNLOCK_ROWS = (
    list(each) for each in zip(*(unlock_and_row() for _ in range(3)), strict=True)
)
PURCHASES, PURCHASE_ROWS = (
    list(each) for each in zip(*(purchase_and_row() for _ in range(2)), strict=True)
)
CALLS = [*UNLOCKS, *PURCHASES]
SOUND = Facts(
    unlocks=Unlocks(
        rows=UNLOCK_ROWS,
        id_by_key={call.key: row.id for call, row in zip(UNLOCKS, UNLOCK_ROWS, strict=True)},
        transfer_ids=[row.transfer_id for row in UNLOCK_ROWS],
    ),
    purchases=Purchases(
        rows=PURCHASE_ROWS, transfer_ids=[row.transfer_id for row in PURCHASE_ROWS]
    ),
    coins={VIEWER: INITIAL_COINS + 2 * PACK_COINS - 3 * PRICE_COINS},
)


def with_unlocks(**changes: object) -> Facts:
    return dataclasses.replace(SOUND, unlocks=dataclasses.replace(SOUND.unlocks, **changes))


def with_purchases(**changes: object) -> Facts:
    return dataclasses.replace(SOUND, purchases=dataclasses.replace(SOUND.purchases, **changes))


def with_coins(coins: int) -> Facts:
    return dataclasses.replace(SOUND, coins={VIEWER: coins})


def rules_broken(calls: list[Call], found: Facts) -> set[str]:
    return {each.rule for each in violations(calls, found, initial_coins={VIEWER: INITIAL_COINS})}


def test_a_sound_service_breaks_no_rule():
    tap = Call(uuid4().hex, UNLOCKS[0].errand, [])
    again = Call(uuid4().hex, UNLOCKS[0].errand, [])
    again.bodies.append(unlock_body("already_unlocked", UNLOCK_ROWS[0].entitlement_id))
    lost = Call(uuid4().hex, PURCHASES[0].errand, [])
    replay = Call(uuid4().hex, PURCHASES[0].errand, [])
    replay.bodies.append(purchase_body(PURCHASE_ROWS[0], credited_now=False))
    replayed = dataclasses.replace(PURCHASES[1], bodies=[*PURCHASES[1].bodies])
    replayed.bodies.append(purchase_body(PURCHASE_ROWS[1], credited_now=False))
    calls = [*UNLOCKS, PURCHASES[0], replayed, tap, again, lost, replay]
    assert rules_broken(calls, SOUND) == set()


def test_a_newcomer_who_never_bought_breaks_no_rule():
    assert set(violations(CALLS, SOUND, initial_coins={VIEWER: INITIAL_COINS, uuid4(): 0})) == set()


UNLOCK_TWIN = msgspec.structs.replace(
    UNLOCK_ROWS[0], id=uuid4(), transfer_id=uuid4(), entitlement_id=uuid4()
)
PURCHASE_TWIN = msgspec.structs.replace(PURCHASE_ROWS[0], id=uuid4(), transfer_id=uuid4())
BROKEN_FACTS = {
    "an unlock is gone": (with_unlocks(rows=UNLOCK_ROWS[1:]), unlock_audit.LOST),
    "an unlock has a twin": (
        with_unlocks(rows=[*UNLOCK_ROWS, UNLOCK_TWIN]),
        "an episode is charged once",
    ),
    "a key of nobody": (
        with_unlocks(id_by_key={**SOUND.unlocks.id_by_key, "other": uuid4()}),
        "nothing is unlocked that nobody asked for",
    ),
    "keys are gone": (with_unlocks(id_by_key={}), "an unlock has one key"),
    "a transfer too many": (
        with_unlocks(transfer_ids=[*SOUND.unlocks.transfer_ids, uuid4()]),
        "an unlock has one transfer",
    ),
    "a purchase is gone": (with_purchases(rows=PURCHASE_ROWS[1:]), purchase_audit.LOST),
    "a purchase gave other coins": (
        with_purchases(rows=[msgspec.structs.replace(PURCHASE_ROWS[0], coins=1)]),
        purchase_audit.LOST,
    ),
    "a purchase has a twin": (
        with_purchases(rows=[*PURCHASE_ROWS, PURCHASE_TWIN]),
        "a transaction is credited once",
    ),
    "a purchase's transfer is gone": (
        with_purchases(transfer_ids=[]),
        "a purchase has one transfer",
    ),
    "a transfer credits for no purchase": (
        with_purchases(transfer_ids=[*SOUND.purchases.transfer_ids, uuid4()]),
        "a purchase has one transfer",
    ),
    "spent coins came back": (with_coins(INITIAL_COINS + 2 * PACK_COINS), BALANCE),
    "bought coins are not there": (with_coins(INITIAL_COINS - 3 * PRICE_COINS), BALANCE),
    "coins were credited twice": (
        with_coins(INITIAL_COINS + 3 * PACK_COINS - 3 * PRICE_COINS),
        BALANCE,
    ),
    "the wallet is gone": (dataclasses.replace(SOUND, coins={}), BALANCE),
}
BROKEN_UNLOCKS = {
    "unlocked": (unlock_body("unlocked", uuid4()), unlock_audit.LOST),
    "already unlocked": (unlock_body("already_unlocked", uuid4()), unlock_audit.LOST),
    "refused": (unlock_body("insufficient_coins", None), "a funded viewer's unlock succeeds"),
}
OTHER_ID = purchase_body(PURCHASE_TWIN, credited_now=True)
BROKEN_PURCHASES = {
    "another purchase": ([OTHER_ID], purchase_audit.LOST),
    "two answers": ([*PURCHASES[0].bodies, OTHER_ID], "a key has one answer"),
    "credited twice": (PURCHASES[0].bodies * 2, "a transaction is credited by one call"),
}


@pytest.mark.parametrize(("found", "rule"), BROKEN_FACTS.values(), ids=BROKEN_FACTS)
def test_the_audit_names_the_rule_that_the_database_breaks(found, rule):
    assert rule in rules_broken(CALLS, found)


@pytest.mark.parametrize(("body", "rule"), BROKEN_UNLOCKS.values(), ids=BROKEN_UNLOCKS)
def test_the_audit_names_the_rule_that_an_unlocks_answer_breaks(body, rule):
    wrong = dataclasses.replace(UNLOCKS[0], bodies=[body])
    assert rules_broken([wrong, *CALLS[1:]], SOUND) == {rule}


@pytest.mark.parametrize(("bodies", "rule"), BROKEN_PURCHASES.values(), ids=BROKEN_PURCHASES)
def test_the_audit_names_the_rule_that_a_purchases_answers_break(bodies, rule):
    wrong = dataclasses.replace(PURCHASES[0], bodies=bodies)
    assert rule in rules_broken([*UNLOCKS, wrong, PURCHASES[1]], SOUND)


def test_two_calls_that_both_credited_a_transaction_are_named():
    twin = Call(uuid4().hex, PURCHASES[0].errand, PURCHASES[0].bodies)
    assert rules_broken([*CALLS, twin], SOUND) == {"a transaction is credited by one call"}


def test_a_key_that_is_answered_in_two_ways_is_named():
    bodies = [*UNLOCKS[0].bodies, unlock_body("unlocked", uuid4())]
    changing = dataclasses.replace(UNLOCKS[0], bodies=bodies)
    assert rules_broken([changing, *CALLS[1:]], SOUND) == {"a key has one answer"}


def test_an_effect_that_nobody_asked_for_is_named():
    assert rules_broken(CALLS[1:], SOUND) == {"nothing is unlocked that nobody asked for"}
    assert rules_broken(CALLS[:-1], SOUND) == {"nothing is credited that nobody bought"}


def test_the_journal_gives_back_every_call_with_its_answers(tmp_path):
    errands = Unlock(VIEWER, uuid4()), Purchase(VIEWER, "crash-1", "signed")
    with Journal(tmp_path / "client-1.jsonl") as journal:
        answered, unknown = (journal.intend(errand) for errand in errands)
        journal.acknowledge(answered, b'{"outcome":"unlocked"}')
    with Journal(tmp_path / "again-1.jsonl") as journal:
        journal.acknowledge(answered, b'{"outcome":"free"}')
    answered.bodies += ['{"outcome":"unlocked"}', '{"outcome":"free"}']
    assert sorted(read(tmp_path), key=lambda call: len(call.bodies)) == [
        unknown,
        dataclasses.replace(answered, bodies=sorted(answered.bodies)),
    ]
