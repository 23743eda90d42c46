"""What every ad network's adapter promises: a query string in, a frozen fact out.

What a callback says of amounts is read by nobody: a placement's reward is ours to set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

#: A network's public keys, by the id that its callbacks name.
Keys = Mapping[int, EllipticCurvePublicKey]


class Fault(StrEnum):
    """What is wrong with a callback or a key document. IMPLAUSIBLE is a claim of ours that no watched ad
    can stand behind."""

    MALFORMED = "malformed"
    FORGED = "forged"
    UNKNOWN_KEY = "unknown_key"
    IMPLAUSIBLE = "implausible"


class NetworkError(Exception):
    """A network's message could not be turned into a fact.

    Only UNKNOWN_KEY may pass later: the network has perhaps begun to sign with a new key.
    """

    def __init__(self, reason: str, fault: Fault) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


class Part(StrEnum):
    """A part of a SignedReward, by the name of its attribute."""

    TRANSACTION = "transaction_id"
    AD_UNIT = "ad_unit"
    SESSION = "custom_data"
    VIEWER = "user_id"
    MOMENT = "watched_at"


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How a network behaves, as far as it says so or was seen.

    `covered` are the parts that its signature holds together: a signed callback in which one of them is
    changed is refused. The other parts are taken at the word of whoever sends the callback.
    `answer_within_seconds` is how long it waits for our answer, None if it does not say, and
    `retries_seconds` are its waits before it sends an unanswered callback again, each counted from the
    attempt before. A network that `is_proof` has seen the ad itself; of another, nobody but the app has.
    """

    covered: frozenset[Part]
    answer_within_seconds: float | None
    retries_seconds: tuple[float, ...]
    is_proof: bool = True


@dataclass(frozen=True)
class SignedReward:
    """A watched ad as its network attests it.

    `transaction_id` names the view: the same again is the same view. `ad_unit` is None for a network that
    does not say; then the secret that it signs with is what ties the callback to our account.
    `custom_data` and `user_id` are what the app handed to the network's SDK, "" if it did not: our session
    and viewer, in hexadecimal. A probe is the network's console trying our address; it stands for no ad,
    and wants `echo` said back. `watched_at` is the network's own time of the view, if it tells that.
    """

    transaction_id: str
    ad_unit: str | None
    custom_data: str
    user_id: str
    is_probe: bool
    watched_at: datetime | None = None
    echo: str = ""


@dataclass(frozen=True)
class HandOver:
    """What the app gives to the network's SDK before an ad, as it stands. Both match
    `^[A-Za-z0-9_-]{1,64}$`."""

    custom_data: str
    user_id: str


@dataclass(frozen=True)
class Reply:
    """What a network is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"


class NetworkAdapter(Protocol):
    """The verbs of an ad network."""

    #: Where its keys are published, or "" when it publishes none.
    keys_url: str
    #: The key document to start with, b"" when it publishes none.
    document: bytes
    #: What the address that it calls ends in after its name, which nobody else knows; "" for nothing.
    address_secret: str
    conduct: Conduct

    def keys(self, document: bytes) -> Keys:
        """The keys inside a key document. Raises NetworkError."""
        ...

    def hand_over(self, *, session: str, viewer: str, ad_unit_id: str, now: datetime) -> HandOver:
        """How this network carries a session and its viewer, both 32 hexadecimal digits."""
        ...

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """The watched ad that a callback attests, which came at `now`. Raises NetworkError, and whatever
        the text is, nothing else."""
        ...

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """What the network waits to read of a genuine callback. `is_paid` says that it opened what it
        was to open, now or when it came first; `verdict` says what happened in a word of ours. What
        `verify` refuses has no reply of the network's own: it is an HTTP error to all of them."""
        ...
