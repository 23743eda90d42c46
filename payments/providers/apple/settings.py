"""What the adapter of the App Store is built from."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PRODUCTION = "production"
SANDBOX = "sandbox"
ENVIRONMENTS = (PRODUCTION, SANDBOX)
PRODUCTION_URL = "https://api.storekit.apple.com"
SANDBOX_URL = "https://api.storekit-sandbox.apple.com"
#: Apple Root CA - G3, as https://www.apple.com/certificateauthority/ publishes it.
ROOT_FILE = Path(__file__).parent / "AppleRootCA-G3.der"
ROOT_SHA256 = "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179"


def apple_root() -> bytes:
    """Apple's root certificate, in DER. Raises ValueError if the file beside this one is another."""
    certificate = ROOT_FILE.read_bytes()
    if hashlib.sha256(certificate).hexdigest() != ROOT_SHA256:
        raise ValueError(f"{ROOT_FILE.name} is not Apple Root CA - G3")
    return certificate


@dataclass(frozen=True, kw_only=True)
class AppleSettings:
    """Keys, names and addresses. Raises ValueError for those with which nothing could be verified.

    `apps` are the bundle ids that we sell in, each with its number in the App Store; Production's notifications
    carry that, so there it is needed. `private_key` is the In-App Purchase key of App Store Connect, in PEM, with
    its `key_id` and `issuer_id`. `root_certificate` is in DER: another than Apple's is for a store of one's own.
    `takes_unsigned` is to believe what Xcode and StoreKit's local tests make, which anybody can make: for tests
    alone.
    """

    apps: Mapping[str, int | None]
    issuer_id: str
    key_id: str
    private_key: str = field(repr=False)
    environments: Collection[str] = ENVIRONMENTS
    production_url: str = PRODUCTION_URL
    sandbox_url: str = SANDBOX_URL
    root_certificate: bytes = field(default_factory=apple_root, repr=False)
    takes_unsigned: bool = False

    def __post_init__(self) -> None:
        if not self.apps:
            raise ValueError("no bundle id is configured")
        if not self.environments or not set(self.environments) <= set(ENVIRONMENTS):
            raise ValueError(f"environments are some of {ENVIRONMENTS}")
        if PRODUCTION in self.environments and None in self.apps.values():
            raise ValueError("in production every bundle id needs its app's number")
        if not self.issuer_id or not self.key_id:
            raise ValueError("the In-App Purchase key needs its issuer id and its key id")
        if not all(self.apps):
            raise ValueError("a bundle id is empty")

    def url(self, environment: str) -> str:
        """Where the App Store Server API of an environment is."""
        return self.production_url if environment == PRODUCTION else self.sandbox_url
