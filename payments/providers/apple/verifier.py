"""Who signed: the App Store, for an app of ours, in an environment that is served here.

A JWS of the App Store (App Store Server API, "JWSTransaction") is ES256 in compact form and carries its chain in
`x5c`: leaf, intermediate and a root, of which only the configured one counts. Apple's own library checks the
chain: strictly by X.509, with the extensions that say what leaf and intermediate are for, at the time of signing.
That is most of the cost, so what became of it is kept for as long as it would come out the same.
"""

import base64
import binascii
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from appstoreserverlibrary.signed_data_verifier import (
    VerificationException,
    VerificationStatus,
    _ChainVerifier,
)
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from payments.providers.apple.payloads import (
    About,
    Dated,
    Notification,
    Renewal,
    Transaction,
    moment,
)
from payments.providers.apple.settings import PRODUCTION, SANDBOX, AppleSettings
from payments.providers.base import Fault, ProviderError

ALGORITHM = "ES256"
SIGNATURE_BYTES = 64
MAXIMUM_CHARACTERS = 256 * 1024
CHAIN_LENGTH = 3
#: A chain that held is checked again after this, or when one of its certificates has run out.
KEPT_FOR = timedelta(days=1)
MAXIMUM_CHAINS = 32

_ENVIRONMENTS = {"Production": PRODUCTION, "Sandbox": SANDBOX}
#: Anybody's own: what Xcode and StoreKit's tests on a device sign means nothing.
_UNSIGNED = {"Xcode": SANDBOX, "LocalTesting": SANDBOX}
_REASONS = {
    VerificationStatus.INVALID_CERTIFICATE: "a certificate cannot be read",
    VerificationStatus.INVALID_CHAIN_LENGTH: f"the chain is not of {CHAIN_LENGTH} certificates",
    VerificationStatus.VERIFICATION_FAILURE: "the chain does not lead to the root",
}

Shape = TypeVar("Shape")


class _Header(msgspec.Struct, frozen=True):
    alg: str
    x5c: tuple[str, ...] = ()
    crit: Any = None
    b64: Any = None


@dataclass(frozen=True)
class Jws:
    """A signed text, taken apart and not yet believed."""

    algorithm: str
    x5c: tuple[str, ...]
    payload: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> "Jws":
        """RFC 7515, section 3.1, in the only way to write it. Raises ProviderError, MALFORMED."""
        if len(text) > MAXIMUM_CHARACTERS:
            raise ProviderError("the signed text is longer than 256 KB", Fault.MALFORMED)
        parts = text.split(".")
        if len(parts) != 3:
            raise ProviderError("not a signed text of three parts", Fault.MALFORMED)
        header = decoded(_base64url(parts[0]), _Header)
        if header.crit is not None or header.b64 is not None:
            raise ProviderError("the header asks for an extension", Fault.MALFORMED)
        return cls(
            algorithm=header.alg,
            x5c=header.x5c,
            payload=_base64url(parts[1]),
            signed=f"{parts[0]}.{parts[1]}".encode("ascii"),
            signature=_base64url(parts[2]),
        )


@dataclass(frozen=True)
class _Chain:
    """A leaf's key, and when its whole chain is valid: from the one, until before the other."""

    key: EllipticCurvePublicKey
    valid_from: datetime
    valid_until: datetime

    def holds(self, *, at: datetime) -> bool:
        return self.valid_from <= at < self.valid_until


class Chains:
    """Checks chains against a root, and remembers those under which a signature held."""

    def __init__(self, root_certificate: bytes) -> None:
        try:
            self._root = x509.load_der_x509_certificate(root_certificate)
        except ValueError as error:
            raise ValueError("the root certificate cannot be read") from error
        # Its public verifier is of one app in one environment, and checks the chain every time.
        self._verifier = _ChainVerifier([root_certificate])
        self._kept: dict[tuple[str, ...], tuple[_Chain, datetime]] = {}
        self._lock = threading.Lock()

    def known(self, x5c: tuple[str, ...], *, signed_at: datetime, now: datetime) -> _Chain | None:
        """A chain that was kept and would still be found to hold, for a signature of that time."""
        with self._lock:
            chain, kept_at = self._kept.get(x5c, (None, now))
            if chain is None:
                return None
            if timedelta(0) <= now - kept_at < KEPT_FOR and chain.holds(at=now):
                return chain if chain.holds(at=signed_at) else None
            del self._kept[x5c]
        return None

    def checked(self, x5c: tuple[str, ...], *, signed_at: datetime) -> _Chain:
        """A chain that holds at a time, by Apple's library. Raises ProviderError, FORGED."""
        seconds = int(signed_at.timestamp())
        try:
            pem = self._verifier.verify_chain(list(x5c), False, seconds)
            key = load_pem_public_key(pem.encode())
            certificates = [
                self._root,
                *(x509.load_der_x509_certificate(base64.b64decode(text)) for text in x5c[:2]),
            ]
        except VerificationException as error:
            raise ProviderError(_reason(error), Fault.FORGED) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ProviderError(f"a certificate cannot be read: {error}", Fault.FORGED) from error
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ProviderError("the leaf's key is not of P-256", Fault.FORGED)
        return _Chain(
            key=key,
            valid_from=max(one.not_valid_before_utc for one in certificates),
            valid_until=min(one.not_valid_after_utc for one in certificates),
        )

    def keep(self, x5c: tuple[str, ...], chain: _Chain, *, now: datetime) -> None:
        """Remembers a chain. Only the App Store can bring it here: the signature covers `x5c`."""
        with self._lock:
            self._kept.pop(x5c, None)
            while len(self._kept) >= MAXIMUM_CHAINS:
                del self._kept[next(iter(self._kept))]
            self._kept[x5c] = (chain, now)


class Verifier:
    """Opens what the App Store signed. Every failure is a ProviderError; none passes with time."""

    def __init__(self, settings: AppleSettings) -> None:
        self._settings = settings
        self._chains = Chains(settings.root_certificate)

    def transaction(self, signed: str, *, now: datetime) -> tuple[str, Transaction]:
        """A signed transaction of ours, and its environment."""
        transaction = decoded(self._content(signed, now=now), Transaction)
        about = About(bundle_id=transaction.bundle_id, environment=transaction.environment)
        return self._environment(about), transaction

    def renewal(self, signed: str, *, now: datetime) -> tuple[str, Renewal]:
        """Signed renewal information, and its environment. It names no app: the transaction beside it does."""
        renewal = decoded(self._content(signed, now=now), Renewal)
        return self._served(renewal.environment), renewal

    def notification(self, signed: str, *, now: datetime) -> tuple[str, Notification]:
        """A notification for an app of ours, and its environment."""
        notification = decoded(self._content(signed, now=now), Notification)
        about = notification.about
        environment = self._environment(about)
        # Sandbox has no number of the app to compare: the documentation gives it to production alone.
        if environment == PRODUCTION and about.app_apple_id != self._settings.apps.get(
            about.bundle_id or ""
        ):
            raise ProviderError(f"for the app {about.app_apple_id}", Fault.FOREIGN)
        return environment, notification

    def _content(self, signed: str, *, now: datetime) -> bytes:
        jws = Jws.parse(signed)
        dated = decoded(jws.payload, Dated)
        if self._settings.takes_unsigned and dated.claimed_environment in _UNSIGNED:
            return jws.payload
        if jws.algorithm != ALGORITHM:
            raise ProviderError(f"signed with {jws.algorithm!r:.20}, not {ALGORITHM}", Fault.FORGED)
        signed_at = moment(dated.signed_date)
        kept = self._chains.known(jws.x5c, signed_at=signed_at, now=now)
        chain = kept or self._chains.checked(jws.x5c, signed_at=signed_at)
        _verify(jws, chain.key)
        if kept is None:
            self._chains.keep(jws.x5c, chain, now=now)
        return jws.payload

    def _environment(self, about: About) -> str:
        if about.bundle_id not in self._settings.apps:
            raise ProviderError(f"for the app {about.bundle_id!r:.100}", Fault.FOREIGN)
        return self._served(about.environment)

    def _served(self, claimed: str | None) -> str:
        names = _ENVIRONMENTS | (_UNSIGNED if self._settings.takes_unsigned else {})
        environment = names.get(claimed or "")
        if environment is None or environment not in self._settings.environments:
            raise ProviderError(f"of the environment {claimed!r:.50}", Fault.OTHER_ENVIRONMENT)
        return environment


def decoded(content: bytes, shape: type[Shape]) -> Shape:
    """JSON of a shape. Raises ProviderError, MALFORMED."""
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderError(f"not a {shape.__name__}: {error}", Fault.MALFORMED) from error


def _base64url(text: str) -> bytes:
    try:
        content = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ProviderError("the signed text is not base64url", Fault.MALFORMED) from error
    # The last character has spare bits, which a decoder ignores.
    if base64.urlsafe_b64encode(content).rstrip(b"=") != text.encode("ascii"):
        raise ProviderError("the signed text is not canonical base64url", Fault.MALFORMED)
    return content


def _verify(jws: Jws, key: EllipticCurvePublicKey) -> None:
    if len(jws.signature) != SIGNATURE_BYTES:
        raise ProviderError("the signature is not of 64 bytes", Fault.FORGED)
    half = SIGNATURE_BYTES // 2
    r, s = (int.from_bytes(part) for part in (jws.signature[:half], jws.signature[half:]))
    try:
        key.verify(encode_dss_signature(r, s), jws.signed, ECDSA(SHA256()))
    except InvalidSignature as error:
        raise ProviderError("the signature does not match", Fault.FORGED) from error


def _reason(error: VerificationException) -> str:
    if isinstance(error.__cause__, x509.ExtensionNotFound):
        return f"a certificate lacks the extension {error.__cause__.oid.dotted_string}"
    return _REASONS.get(error.status, f"the chain is refused: {error.status.name}")
