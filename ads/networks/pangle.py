"""Pangle's (穿山甲's) server-side callback.

`sign` is SHA-256 of the ad unit's security key, a colon and the transaction id (Pangle, "Server-side
verification callback", whose examples are among the tests' payloads). It covers the transaction alone,
and by whose key it was made, the ad unit. User and session are at the word of the sender: whoever has
seen a pair of transaction and sign that was not used yet can spend it on themselves. So the address is
to end in a secret, which nobody sees but Pangle.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from ads.networks import queries
from ads.networks.base import Conduct, Fault, Keys, NetworkError, Part, Reply, SignedReward
from ads.networks.shared_secrets import SharedSecretAdapter, is_same, usable

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "trans_id": queries.NAME,
    "sign": re.compile(r"[0-9a-f]{64}"),
    "user_id": queries.OURS,
    "extra": queries.OURS,
}


class PangleAdapter(SharedSecretAdapter):
    """Verifies with pairs of ad unit and security key: Pangle makes a key for each unit. During a change
    a unit has two. Raises ValueError for a key of two units, which would not say whose an ad was."""

    conduct = Conduct(
        covered=frozenset({Part.TRANSACTION, Part.AD_UNIT}),
        answer_within_seconds=None,
        retries_seconds=(),
    )

    def __init__(
        self, *, security_keys: Sequence[tuple[str, str]], address_secret: str = ""
    ) -> None:
        super().__init__(address_secret=address_secret)
        keys = usable([key for _, key in security_keys], network="Pangle")
        self._ad_units = dict(zip(keys, (ad_unit for ad_unit, _ in security_keys), strict=True))
        if len(self._ad_units) < len(security_keys):
            raise ValueError("two ad units of Pangle have the same security key")

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """See NetworkAdapter. Beside what it reads, Pangle sends the reward and what versions add."""
        values = queries.read(query_string, required=_SHAPES, takes_others=True)
        transaction_id = values["trans_id"]
        signers = [
            ad_unit
            for key, ad_unit in self._ad_units.items()
            if is_same(sign(key, transaction_id), values["sign"])
        ]
        if not signers:
            raise NetworkError("the signature does not match", Fault.FORGED)
        return SignedReward(
            transaction_id=transaction_id,
            ad_unit=signers[0],
            custom_data=values["extra"],
            user_id=values["user_id"],
            is_probe=False,
        )

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """See NetworkAdapter. Pangle tells the app's SDK what it reads here."""
        return Reply(200, json.dumps({"isValid": is_paid}, separators=(",", ":")).encode())


def sign(security_key: bytes, transaction_id: str) -> str:
    """Pangle's signature of a transaction."""
    return hashlib.sha256(security_key + b":" + transaction_id.encode()).hexdigest()
