"""Unity Ads' server-to-server redeem callback, without mediation.

`hmac` is HMAC-MD5, under a secret that Unity's support hands out with the game, of all other parameters
as `name=value`, in alphabetical order, joined with commas (Unity, "Implement server-to-server redeem
callbacks", whose example is among the tests' payloads). One value travels, `sid`, so it carries the
session and the viewer, one after the other.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from ads.networks import queries
from ads.networks.base import Conduct, HandOver, Keys, Part, Reply, SignedReward
from ads.networks.shared_secrets import SharedSecretAdapter, check_digest, usable

_HALF = 32

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "sid": re.compile(r"[0-9a-f]{64}"),
    "oid": queries.NAME,
    "hmac": re.compile(r"[0-9a-f]{32}"),
}
#: What the address may have that is given to Unity, to tell games apart in its own reports.
_OURS: Mapping[str, re.Pattern[str]] = {"productid": queries.NAME}


class UnityAdsAdapter(SharedSecretAdapter):
    """Verifies with the games' secrets."""

    conduct = Conduct(
        covered=frozenset({Part.TRANSACTION, Part.SESSION, Part.VIEWER}),
        answer_within_seconds=None,
        retries_seconds=(),
    )

    def __init__(self, *, secrets: Sequence[str], address_secret: str = "") -> None:
        super().__init__(address_secret=address_secret)
        self._secrets = usable(secrets, network="Unity Ads")

    def hand_over(self, *, session: str, viewer: str, ad_unit_id: str, now: datetime) -> HandOver:
        """See NetworkAdapter. The SDK's server id is `custom_data`."""
        return HandOver(custom_data=session + viewer, user_id=viewer)

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """See NetworkAdapter."""
        values = queries.read(query_string, required=_SHAPES, optional=_OURS)
        signed = signed_text(values).encode()
        check_digest(
            (hmac.new(secret, signed, "md5").hexdigest() for secret in self._secrets),
            values["hmac"],
        )
        return SignedReward(
            transaction_id=values["oid"],
            ad_unit=None,
            custom_data=values["sid"][:_HALF],
            user_id=values["sid"][_HALF:],
            is_probe=False,
        )

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """See NetworkAdapter. Unity reads `1`, or an error with a text for people."""
        if is_paid:
            return Reply(200, b"1", "text/plain")
        return Reply(400, verdict.encode(), "text/plain")


def signed_text(values: Mapping[str, str]) -> str:
    """What Unity signs of a callback's parameters."""
    return ",".join(f"{name}={values[name]}" for name in sorted(values) if name != "hmac")
