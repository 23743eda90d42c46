"""The audit of the crash tests can fail: each promise, broken by hand, is named."""

import dataclasses
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.crash.audit import LOST, Facts, Unlocked, violations
from tests.crash.journal import Call, Errand, Journal, read

VIEWER, PRICE_COINS = uuid4(), 60


def call_and_row() -> tuple[Call, Unlocked]:
    """An unlock as a client was told of it, and as the database has it."""
    row = Unlocked(uuid4(), VIEWER, uuid4(), uuid4(), uuid4(), PRICE_COINS)
    return Call(uuid4().hex, VIEWER, row.episode_id, [told("unlocked", row.entitlement_id)]), row


def told(outcome: str, entitlement_id: UUID | None) -> str:
    return msgspec.json.encode({"outcome": outcome, "entitlement_id": entitlement_id}).decode()


CALLS, ROWS = (list(each) for each in zip(*(call_and_row() for _ in range(3)), strict=True))
SOUND = Facts(
    unlocks=ROWS,
    unlock_by_key={call.key: row.id for call, row in zip(CALLS, ROWS, strict=True)},
    transfer_ids=[row.transfer_id for row in ROWS],
    coins={VIEWER: 1000 - len(ROWS) * PRICE_COINS},
)
TWIN = msgspec.structs.replace(ROWS[0], id=uuid4(), transfer_id=uuid4(), entitlement_id=uuid4())


def rules_broken(calls: list[Call], found: Facts) -> set[str]:
    return {each.rule for each in violations(calls, found, initial_coins={VIEWER: 1000})}


def test_a_sound_service_breaks_no_rule():
    tap = Call(uuid4().hex, VIEWER, ROWS[0].episode_id, [])
    again = Call(uuid4().hex, VIEWER, ROWS[0].episode_id, [])
    again.bodies.append(told("already_unlocked", ROWS[0].entitlement_id))
    assert rules_broken([*CALLS, tap, again], SOUND) == set()


BROKEN_FACTS = {
    "a row is gone": (dataclasses.replace(SOUND, unlocks=ROWS[1:]), LOST),
    "a row has a twin": (
        dataclasses.replace(SOUND, unlocks=[*ROWS, TWIN]),
        "an episode is charged once",
    ),
    "a key of nobody": (
        dataclasses.replace(SOUND, unlock_by_key={**SOUND.unlock_by_key, "other": uuid4()}),
        "nothing is unlocked that nobody asked for",
    ),
    "keys are gone": (dataclasses.replace(SOUND, unlock_by_key={}), "an unlock has one key"),
    "a transfer too many": (
        dataclasses.replace(SOUND, transfer_ids=[*SOUND.transfer_ids, uuid4()]),
        "an unlock has one transfer",
    ),
    "coins came back": (
        dataclasses.replace(SOUND, coins={VIEWER: 1000}),
        "a balance is what was there minus the prices of what is unlocked",
    ),
}
BROKEN_ANSWERS = {
    "unlocked": (told("unlocked", uuid4()), LOST),
    "already unlocked": (told("already_unlocked", uuid4()), LOST),
    "refused": (told("insufficient_coins", None), "a funded viewer's unlock succeeds"),
}


@pytest.mark.parametrize(("found", "rule"), BROKEN_FACTS.values(), ids=BROKEN_FACTS)
def test_the_audit_names_the_rule_that_the_database_breaks(found, rule):
    assert rule in rules_broken(CALLS, found)


@pytest.mark.parametrize(("body", "rule"), BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS)
def test_the_audit_names_the_rule_that_an_answer_breaks(body, rule):
    wrong = dataclasses.replace(CALLS[0], bodies=[body])
    assert rule in rules_broken([wrong, *CALLS[1:]], SOUND)


def test_a_key_that_is_answered_in_two_ways_is_named():
    changing = dataclasses.replace(CALLS[0], bodies=[*CALLS[0].bodies, told("unlocked", uuid4())])
    assert rules_broken([changing, *CALLS[1:]], SOUND) == {"a key has one answer"}


def test_an_unlock_that_nobody_asked_for_is_named():
    assert rules_broken(CALLS[1:], SOUND) == {"nothing is unlocked that nobody asked for"}


def test_the_journal_gives_back_every_call_with_its_answers(tmp_path):
    episodes = [uuid4() for _ in range(2)]
    with Journal(tmp_path / "client-1.jsonl") as journal:
        answered, unknown = (journal.intend(Errand(VIEWER, episode)) for episode in episodes)
        journal.acknowledge(answered, b'{"outcome":"unlocked"}')
    with Journal(tmp_path / "again-1.jsonl") as journal:
        journal.acknowledge(answered, b'{"outcome":"free"}')
    answered.bodies += ['{"outcome":"unlocked"}', '{"outcome":"free"}']
    assert sorted(read(tmp_path), key=lambda call: len(call.bodies)) == [
        unknown,
        dataclasses.replace(answered, bodies=sorted(answered.bodies)),
    ]
