"""Unity LevelPlay's (ironSource's) server-side callback.

Signed with MD5 of timestamp, event id, user id, rewards and the private key, joined without a separator
(Unity, "Server-to-server callback event handlers"). That covers the viewer and not the session: the
session comes as the SDK's dynamic user id, which can only choose among sessions of the viewer who is
signed. So that the joined text has one reading, the user id has one length and the reward amount, which
is ignored, is 1 in the console.

LevelPlay comes again until it reads `<event id>:OK`, twenty times in a day and then daily for a week. It
acknowledges that the event has come, not that it paid: what paid nothing is acknowledged as well.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ads.networks import queries
from ads.networks.base import Conduct, Fault, Keys, NetworkError, Part, Reply, SignedReward
from ads.networks.shared_secrets import SharedSecretAdapter, check_digest, usable

#: What an operator types as the user id when they press the console's test.
PROBE_USER = "probe"

_DAY_SECONDS = 24 * 3600.0

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "userId": re.compile(rf"{queries.OURS.pattern}|{PROBE_USER}"),
    "rewards": re.compile(r"1"),
    "eventId": queries.NAME,
    "timestamp": re.compile(r"[0-9]{12}"),
    "signature": re.compile(r"[0-9a-f]{32}"),
}
_UNSIGNED: Mapping[str, re.Pattern[str]] = {
    # Empty when the app set none.
    "dynamicUserId": re.compile(rf"({queries.OURS.pattern})?")
}


class LevelPlayAdapter(SharedSecretAdapter):
    """Verifies with the app's private key. `private_keys` are all that may be in use, during a change."""

    conduct = Conduct(
        covered=frozenset({Part.TRANSACTION, Part.VIEWER, Part.MOMENT}),
        answer_within_seconds=None,
        retries_seconds=(_DAY_SECONDS / 20,) * 20 + (_DAY_SECONDS,) * 7,
    )

    def __init__(self, *, private_keys: Sequence[str], address_secret: str = "") -> None:
        super().__init__(address_secret=address_secret)
        self._private_keys = usable(private_keys, network="LevelPlay")

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """See NetworkAdapter. Beside what it reads, LevelPlay sends what its console is told to."""
        values = queries.read(query_string, required=_SHAPES, optional=_UNSIGNED, takes_others=True)
        signed = "".join(values[name] for name in ("timestamp", "eventId", "userId", "rewards"))
        check_digest(
            (_md5(signed.encode() + key) for key in self._private_keys), values["signature"]
        )
        is_probe = values["userId"] == PROBE_USER
        return SignedReward(
            transaction_id=values["eventId"],
            ad_unit=None,
            custom_data="" if is_probe else values.get("dynamicUserId", ""),
            user_id=values["userId"],
            is_probe=is_probe,
            watched_at=_moment(values["timestamp"]),
        )

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """See NetworkAdapter."""
        return Reply(200, f"{reward.transaction_id}:OK".encode(), "text/plain")


def _moment(timestamp: str) -> datetime:
    try:
        return datetime.strptime(timestamp, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise NetworkError("timestamp is no moment", Fault.MALFORMED) from error


def _md5(signed: bytes) -> str:
    return hashlib.md5(signed, usedforsecurity=False).hexdigest()
