"""What clients were told of their unlocks, held against what the database says."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tests.crash.instance import Instance
from tests.crash.journal import Call, Unlock, of_kind
from tests.crash.violations import Violation

LOST = "an acknowledged unlock is not there"

_UNLOCKS = """
    SELECT unlock.id, unlock.viewer_id, unlock.episode_id, unlock.entitlement_id,
           unlock.transfer_id, unlock.price_coins
    FROM payments_unlock unlock JOIN payments_entitlement entitlement
        ON entitlement.id = unlock.entitlement_id
    WHERE unlock.viewer_id = ANY(%s)
"""
_KEYS = """
    SELECT key, (outcome->>'unlock_id')::uuid FROM payments_idempotencyrecord
    WHERE operation = 'unlock' AND outcome->>'outcome' = 'unlocked' AND viewer_id = ANY(%s)
"""
_TRANSFERS = "SELECT id FROM payments_transfer WHERE code = 'unlock' AND viewer_id = ANY(%s)"


class Unlocked(msgspec.Struct, frozen=True):
    """A row of payments_unlock whose entitlement exists."""

    id: UUID
    viewer_id: UUID
    episode_id: UUID
    entitlement_id: UUID
    transfer_id: UUID
    price_coins: int


@dataclass(frozen=True)
class Unlocks:
    """What the database says."""

    rows: Sequence[Unlocked]
    id_by_key: Mapping[str, UUID]
    transfer_ids: Sequence[UUID]


class _Answer(msgspec.Struct):
    outcome: str
    entitlement_id: UUID | None


def read(instance: Instance, viewer_ids: Collection[UUID]) -> Unlocks:
    """All unlocks of some viewers, read as the schema's owner."""
    of_viewers = list(viewer_ids)
    return Unlocks(
        rows=[Unlocked(*row) for row in instance.query(_UNLOCKS, of_viewers)],
        id_by_key=dict(instance.query(_KEYS, of_viewers)),
        transfer_ids=[row[0] for row in instance.query(_TRANSFERS, of_viewers)],
    )


def violations(calls: Sequence[Call], found: Unlocks) -> Iterator[Violation]:
    """Every promise about unlocks that was broken to these viewers."""
    unlocks = of_kind(calls, Unlock)
    yield from _answers(unlocks, found)
    yield from _effects(unlocks, found)


def _answers(calls: Sequence[tuple[Call, Unlock]], found: Unlocks) -> Iterator[Violation]:
    present = {(row.viewer_id, row.episode_id, row.entitlement_id) for row in found.rows}
    for call, errand in calls:
        if len(set(call.bodies)) > 1:
            yield Violation("a key has one answer", f"{call.key}: {sorted(set(call.bodies))}")
        for body in call.bodies[:1]:
            answer = msgspec.json.decode(body, type=_Answer)
            if answer.outcome not in {"unlocked", "already_unlocked"}:
                yield Violation("a funded viewer's unlock succeeds", f"{call.key}: {body}")
            elif (errand.viewer_id, errand.episode_id, answer.entitlement_id) not in present:
                yield Violation(LOST, f"{call.key}: {body}")


def _effects(calls: Sequence[tuple[Call, Unlock]], found: Unlocks) -> Iterator[Violation]:
    asked = {(errand.viewer_id, errand.episode_id) for _, errand in calls}
    keys = {call.key for call, _ in calls}
    charged = Counter((row.viewer_id, row.episode_id) for row in found.rows)
    for pair, times in charged.items():
        if times > 1:
            yield Violation("an episode is charged once", f"{pair}: {times} times")
        if pair not in asked:
            yield Violation("nothing is unlocked that nobody asked for", f"{pair}")
    for key in found.id_by_key.keys() - keys:
        yield Violation("nothing is unlocked that nobody asked for", f"key {key}")
    yield from _pairs("one key", Counter(found.id_by_key.values()), found, "id")
    yield from _pairs("one transfer", Counter(found.transfer_ids), found, "transfer_id")


def _pairs(what: str, counted: Counter[UUID], found: Unlocks, name: str) -> Iterator[Violation]:
    rows = Counter(getattr(row, name) for row in found.rows)
    for value in counted.keys() | rows.keys():
        if (counted[value], rows[value]) != (1, 1):
            yield Violation(
                f"an unlock has {what}", f"{value}: {counted[value]} for {rows[value]} unlocks"
            )
