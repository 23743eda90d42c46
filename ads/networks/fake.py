"""The fake ad network: AdMob's protocol, signed with a key of our own, for the demo and tests.

Its adapter is AdMob's, given the network's own public key; `FakeAdNetwork` plays the network.
"""

import base64
import json
from datetime import datetime
from urllib.parse import quote
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ads.networks.admob import AdMobAdapter

KEY_ID = 1
AD_NETWORK = "5450213213286189855"


class FakeAdNetwork:
    """Shows no ad, and attests that it was watched."""

    def __init__(self, private_key: EllipticCurvePrivateKey, *, key_id: int = KEY_ID) -> None:
        self._private_key = private_key
        self._key_id = key_id

    def document(self) -> bytes:
        """Its key, as a network publishes it."""
        der = self._private_key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        entry = {"keyId": self._key_id, "base64": base64.b64encode(der).decode()}
        return json.dumps({"keys": [entry]}).encode()

    def watched(
        self,
        *,
        ad_unit_id: str,
        custom_data: str,
        user_id: str,
        now: datetime,
        transaction_id: str | None = None,
    ) -> str:
        """The query string of the callback for one view, under a new transaction id unless one is
        given."""
        values = {
            "ad_network": AD_NETWORK,
            "ad_unit": ad_unit_id.rpartition("/")[2],
            "custom_data": custom_data,
            "reward_amount": "1",
            "reward_item": "Episode",
            "timestamp": str(int(now.timestamp() * 1000)),
            "transaction_id": transaction_id or uuid4().hex,
            "user_id": user_id,
        }
        return self.sign("&".join(f"{name}={value}" for name, value in values.items()))

    def sign(self, text: str) -> str:
        """A signed query string of a decoded text, escaped but for what divides it."""
        encoded = quote(text, safe="&=")
        signature = self._private_key.sign(text.encode(), ECDSA(SHA256()))
        tail = base64.urlsafe_b64encode(signature).decode().rstrip("=")
        return f"{encoded}&signature={tail}&key_id={self._key_id}"


def adapter(network: FakeAdNetwork) -> AdMobAdapter:
    """Verifies what the fake network signs, with its one key, which never changes."""
    return AdMobAdapter(keys_url="", document=network.document())
