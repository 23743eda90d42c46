"""What clients were told, held against what the database says."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tests.crash.instance import Instance
from tests.crash.journal import Call

LOST = "an acknowledged unlock is not there"

_UNLOCKS = """
    SELECT unlock.id, unlock.viewer_id, unlock.episode_id, unlock.entitlement_id,
           unlock.transfer_id, unlock.price_coins
    FROM payments_unlock unlock JOIN payments_entitlement entitlement
        ON entitlement.id = unlock.entitlement_id
"""
_KEYS = """
    SELECT key, (outcome->>'unlock_id')::uuid FROM payments_idempotencyrecord
    WHERE operation = 'unlock' AND outcome->>'outcome' = 'unlocked'
"""
_TRANSFERS = "SELECT id FROM payments_transfer WHERE code = 'unlock'"
_COINS = "SELECT viewer_id, paid_coins + bonus_coins FROM payments_wallet"


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and where."""

    rule: str
    detail: str


class Unlocked(msgspec.Struct, frozen=True):
    """A row of payments_unlock whose entitlement exists."""

    id: UUID
    viewer_id: UUID
    episode_id: UUID
    entitlement_id: UUID
    transfer_id: UUID
    price_coins: int


@dataclass(frozen=True)
class Facts:
    """What the database says."""

    unlocks: Sequence[Unlocked]
    unlock_by_key: Mapping[str, UUID]
    transfer_ids: Sequence[UUID]
    coins: Mapping[UUID, int]


class _Answer(msgspec.Struct):
    outcome: str
    entitlement_id: UUID | None


def facts(instance: Instance) -> Facts:
    """Everything that the rules are about, read as the schema's owner."""
    return Facts(
        unlocks=[Unlocked(*row) for row in instance.query(_UNLOCKS)],
        unlock_by_key=dict(instance.query(_KEYS)),
        transfer_ids=[row[0] for row in instance.query(_TRANSFERS)],
        coins=dict(instance.query(_COINS)),
    )


def violations(
    calls: Sequence[Call], found: Facts, *, initial_coins: Mapping[UUID, int]
) -> Iterator[Violation]:
    """Every broken promise; none on a sound service, whatever was killed."""
    yield from _answers(calls, found)
    yield from _effects(calls, found)
    yield from _coins(found, initial_coins)


def _answers(calls: Sequence[Call], found: Facts) -> Iterator[Violation]:
    present = {
        (unlock.viewer_id, unlock.episode_id, unlock.entitlement_id) for unlock in found.unlocks
    }
    for call in calls:
        if len(set(call.bodies)) > 1:
            yield Violation("a key has one answer", f"{call.key}: {sorted(set(call.bodies))}")
        for body in call.bodies[:1]:
            answer = msgspec.json.decode(body, type=_Answer)
            if answer.outcome not in {"unlocked", "already_unlocked"}:
                yield Violation("a funded viewer's unlock succeeds", f"{call.key}: {body}")
            elif (call.viewer_id, call.episode_id, answer.entitlement_id) not in present:
                yield Violation(LOST, f"{call.key}: {body}")


def _effects(calls: Sequence[Call], found: Facts) -> Iterator[Violation]:
    asked = {(call.viewer_id, call.episode_id) for call in calls}
    keys = {call.key for call in calls}
    charged = Counter((unlock.viewer_id, unlock.episode_id) for unlock in found.unlocks)
    for pair, times in charged.items():
        if times > 1:
            yield Violation("an episode is charged once", f"{pair}: {times} times")
        if pair not in asked:
            yield Violation("nothing is unlocked that nobody asked for", f"{pair}")
    for key in found.unlock_by_key.keys() - keys:
        yield Violation("nothing is unlocked that nobody asked for", f"key {key}")
    yield from _pairs("one key", Counter(found.unlock_by_key.values()), found, "id")
    yield from _pairs("one transfer", Counter(found.transfer_ids), found, "transfer_id")


def _pairs(what: str, counted: Counter[UUID], found: Facts, name: str) -> Iterator[Violation]:
    rows = Counter(getattr(unlock, name) for unlock in found.unlocks)
    for value in counted.keys() | rows.keys():
        if (counted[value], rows[value]) != (1, 1):
            yield Violation(
                f"an unlock has {what}", f"{value}: {counted[value]} for {rows[value]} unlocks"
            )


def _coins(found: Facts, initial: Mapping[UUID, int]) -> Iterator[Violation]:
    spent: defaultdict[UUID, int] = defaultdict(int)
    for unlock in found.unlocks:
        spent[unlock.viewer_id] += unlock.price_coins
    for viewer_id, coins in initial.items():
        expected = coins - spent[viewer_id]
        if found.coins.get(viewer_id) != expected:
            yield Violation(
                "a balance is what was there minus the prices of what is unlocked",
                f"{viewer_id}: {found.coins.get(viewer_id)}, not {expected}",
            )
