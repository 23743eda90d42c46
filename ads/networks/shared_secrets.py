"""What is the same for networks that share a secret with us and publish no keys."""

import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from ads.networks.base import Fault, HandOver, Keys, NetworkError, Reply, SignedReward


class SharedSecretAdapter:
    """The verbs that need no knowledge of the network. A subclass verifies."""

    keys_url = ""
    document = b""

    def __init__(self, *, address_secret: str = "") -> None:
        self.address_secret = address_secret

    def keys(self, document: bytes) -> Keys:
        """See NetworkAdapter: there are none."""
        return {}

    def hand_over(self, *, session: str, viewer: str, ad_unit_id: str, now: datetime) -> HandOver:
        """See NetworkAdapter."""
        return HandOver(custom_data=session, user_id=viewer)

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """See NetworkAdapter."""
        return verdict_reply(verdict)


def verdict_reply(verdict: str) -> Reply:
    """To networks that read the status alone."""
    return Reply(200, json.dumps({"verdict": verdict}, separators=(",", ":")).encode())


def usable(secrets: Sequence[str], *, network: str) -> tuple[bytes, ...]:
    """The secrets as bytes. Raises ValueError when there is none, or an empty one: anybody knows that."""
    if not secrets or not all(secrets):
        raise ValueError(f"{network} has no secret to verify its callbacks with")
    return tuple(secret.encode() for secret in secrets)


def check_digest(expected: Iterable[str], given: str) -> None:
    """Raises NetworkError unless `given` is one of the digests, of which there is one for each secret
    that may be in use. The time taken says nothing of how near it is."""
    matches = [is_same(digest, given) for digest in expected]
    if not any(matches):
        raise NetworkError("the signature does not match", Fault.FORGED)


def is_same(ours: str, given: str) -> bool:
    """In a time that does not depend on where they differ, whatever characters are in them."""
    return hmac.compare_digest(
        ours.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )
