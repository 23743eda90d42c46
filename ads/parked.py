"""Callbacks that are genuine and paid nothing: an operator pays them after all, or dismisses them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from ads import limits
from ads.models import Reward
from ads.revenue import settling

_SETTLE = "SELECT ads_settle_parked(%s, %s, %s, %s, %s, %s)::text"
_DISMISS = "SELECT ads_dismiss_parked(%s, %s, %s, %s)::text"


class Outcome(StrEnum):
    """What came of an operator's word. From SESSION_UNKNOWN on nothing was done, and it stays parked."""

    SETTLED = "settled"
    DISMISSED = "dismissed"
    RESOLVED_BEFORE = "resolved_before"
    SESSION_UNKNOWN = "session_unknown"
    OTHER_NETWORK = "other_network"
    SESSION_USED = "session_used"
    ALREADY_OPEN = "already_open"
    OVER_CAP = "over_cap"


class _Answer(msgspec.Struct, frozen=True):
    outcome: Outcome


def settle(
    callback_id: UUID, *, session_id: UUID | None, reason: str, operator_id: int, now: datetime
) -> Outcome:
    """Counts the ad of a parked callback, as if it had come in time: within the day's cap, and never twice.

    `session_id` is the session to pay where the callback names none.
    """
    with transaction.atomic():
        outcome = _decided(
            _SETTLE,
            [callback_id, session_id, reason, operator_id, limits.reporting_day(now), now],
        )
        if outcome is Outcome.SETTLED:
            reward = Reward.objects.get(resolution__callback_id=callback_id)
            settling.look_again(reward.session_id, now=now)
    return outcome


def dismiss(callback_id: UUID, *, reason: str, operator_id: int, now: datetime) -> Outcome:
    """Ends a parked callback unpaid."""
    return _decided(_DISMISS, [callback_id, reason, operator_id, now])


def _decided(statement: str, arguments: Sequence[Any]) -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        (text,) = cursor.fetchone()
    return msgspec.json.decode(text, type=_Answer).outcome
