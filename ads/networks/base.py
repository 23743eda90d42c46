"""What every ad network's adapter promises: a query string in, a frozen fact out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

#: A network's public keys, by the id that its callbacks name.
Keys = Mapping[int, EllipticCurvePublicKey]


class Fault(StrEnum):
    """What is wrong with a callback or a key document."""

    MALFORMED = "malformed"
    FORGED = "forged"
    UNKNOWN_KEY = "unknown_key"


class NetworkError(Exception):
    """A network's message could not be turned into a fact.

    Only UNKNOWN_KEY may pass later: the network has perhaps begun to sign with a new key.
    """

    def __init__(self, reason: str, fault: Fault) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


@dataclass(frozen=True)
class SignedReward:
    """A watched ad as its network attests it.

    `custom_data` and `user_id` are what the app handed to the network's SDK, "" if it did not. A
    probe is the network's console trying our address; it stands for no ad.
    """

    transaction_id: str
    ad_unit: str
    custom_data: str
    user_id: str
    is_probe: bool


class NetworkAdapter(Protocol):
    """The verbs of an ad network."""

    #: Where its keys are published, or "" when they never change.
    keys_url: str
    #: The key document to start with.
    document: bytes

    def keys(self, document: bytes) -> Keys:
        """The keys inside a key document. Raises NetworkError."""
        ...

    def verify(self, query_string: str, keys: Keys) -> SignedReward:
        """The watched ad that a callback's query string attests. Raises NetworkError."""
        ...
