"""What can be wrong with what a network reports, by intent or by accident."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from random import Random
from uuid import uuid4

import msgspec

from demo.networks.account import Account, opened
from demo.networks.signing import View, Writer

ALTERED_AMOUNT = 9999
EARLY = timedelta(hours=1)
#: What networks call the amount; the others have none outside of what is sealed.
_AMOUNTS = ("reward_amount", "rewards")
#: An orphan is a session that nobody opened, in as many digits as a real one.
_SESSION_DIGITS = 32


class Lie(StrEnum):
    """WRONG_SIGNATURE is signed by somebody else. ALTERED_AMOUNT is changed after it was signed. REPLAYED
    comes four times. LATE comes `late_seconds` after the ad. BEFORE_SHOWN tells of an hour before it.
    ORPHAN names a session that nobody opened. DUPLICATE reports one view under two transactions. LOST is
    never sent."""

    WRONG_SIGNATURE = "wrong_signature"
    ALTERED_AMOUNT = "altered_amount"
    REPLAYED = "replayed"
    LATE = "late"
    BEFORE_SHOWN = "before_shown"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    LOST = "lost"


class Habits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often each lie is told of a view that asks for none, as a share of all, drawn by a seed."""

    shares: Mapping[Lie, float] = {}
    seed: int = 0


def drawn(habits: Habits, chance: Random) -> Lie | None:
    """The lie for one more view, if any."""
    point = chance.random()
    for lie, share in habits.shares.items():
        if point < share:
            return lie
        point -= share
    return None


def written(writer: Writer, account: Account, view: View, lie: Lie | None) -> list[str]:
    """The query strings that go out for a view, in their order."""
    if lie is Lie.LOST:
        return []
    if lie is Lie.WRONG_SIGNATURE:
        return [writer(_stranger(account), view)]
    if lie is Lie.ALTERED_AMOUNT:
        return [_with_more(writer(account, view))]
    if lie is Lie.REPLAYED:
        return [writer(account, view)] * 4
    if lie is Lie.DUPLICATE:
        again = msgspec.structs.replace(view, transaction_id=uuid4().hex)
        return [writer(account, view), writer(account, again)]
    if lie is Lie.ORPHAN:
        rest = view.custom_data[_SESSION_DIGITS:]
        view = msgspec.structs.replace(view, custom_data=uuid4().hex + rest)
    if lie is Lie.BEFORE_SHOWN:
        view = msgspec.structs.replace(view, watched_at=view.watched_at - EARLY)
    return [writer(account, view)]


def _stranger(account: Account) -> Account:
    """Somebody with keys of their own, under the same names."""
    other = opened()
    other.admob_keys = [
        msgspec.structs.replace(other.admob_keys[0], key_id=account.admob_keys[0].key_id)
    ]
    return other


def _with_more(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&")]
    if not any(name in _AMOUNTS for name, _, _ in pairs):
        return f"{query}&reward_amount={ALTERED_AMOUNT}"
    return "&".join(
        f"{name}={ALTERED_AMOUNT if name in _AMOUNTS else value}" for name, _, value in pairs
    )
