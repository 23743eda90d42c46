"""The keys that Google signs with: its JWKS document (RFC 7517), kept while Google says that it may be."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from payments.providers.base import Fault, ProviderError
from payments.providers.google.transport import Transport

MAXIMUM_KEYS = 100
MINIMUM_KEY_BITS = 2048
SHORTEST_KEEPING = timedelta(minutes=5)
LONGEST_KEEPING = timedelta(hours=24)
#: An id that is not known is asked for at most this often: whoever writes tokens chooses their ids.
ASKING_INTERVAL = timedelta(seconds=30)
#: And at most this often while there are no keys at all: until then nobody can be believed.
RETRY_INTERVAL = timedelta(seconds=2)
#: Keys that can not be renewed are good for so much longer.
GRACE = timedelta(hours=24)

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})(?:$|[\s,;])", re.IGNORECASE)

Keys = Mapping[str, RSAPublicKey]


@dataclass(frozen=True)
class KeyDocument:
    """A JWKS document as it was fetched, and how long it may be kept."""

    body: bytes
    keep: timedelta = SHORTEST_KEEPING


@dataclass(frozen=True)
class _Kept:
    """Keys, and until when Google says that they are good."""

    keys: Keys
    good_until: datetime

    def is_fresh(self, now: datetime) -> bool:
        return now < self.good_until

    def is_bearable(self, now: datetime) -> bool:
        return now < self.good_until + GRACE


class SigningKeys:
    """Keys by their id, of one document. Threads share it; one of them fetches, and a fetch holds up only those
    that need what it is for.

    `fetch` raises ProviderError (UNAVAILABLE).
    """

    def __init__(self, fetch: Callable[[], KeyDocument]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: _Kept | None = None
        self._times_asked = 0
        self._asked_at: datetime | None = None

    def key(self, key_id: str, *, now: datetime) -> RSAPublicKey:
        """The key of an id, fetched if it is not known or too old.

        Raises ProviderError: FORGED if Google has no such key, UNAVAILABLE if Google cannot be asked.
        """
        known = self._fresh(key_id, now)
        if known is not None:
            return known
        times_asked = self._times_asked
        with self._lock:
            # Another thread may have fetched it meanwhile, or in vain: threads that wait ask but once.
            known = self._fresh(key_id, now)
            if known is not None:
                return known
            if self._times_asked == times_asked and self._may_ask(now):
                self._ask(key_id, now)
            return self._found(key_id, now)

    def _ask(self, key_id: str, now: datetime) -> None:
        self._asked_at = now
        try:
            document = self._fetch()
            keep = min(max(document.keep, SHORTEST_KEEPING), LONGEST_KEEPING)
            self._kept = _Kept(read_keys(document.body), now + keep)
        except ProviderError:
            # Google cannot say that the id is not its own.
            kept = self._bearable(now)
            if kept is None or key_id not in kept.keys:
                raise
        finally:
            self._times_asked += 1

    def _fresh(self, key_id: str, now: datetime) -> RSAPublicKey | None:
        kept = self._kept
        return kept.keys.get(key_id) if kept is not None and kept.is_fresh(now) else None

    def _found(self, key_id: str, now: datetime) -> RSAPublicKey:
        kept = self._bearable(now)
        if kept is None:
            raise ProviderError("Google's keys are out of reach", Fault.UNAVAILABLE)
        key = kept.keys.get(key_id)
        if key is None:
            raise ProviderError(f"Google has no key {key_id!r:.60}", Fault.FORGED)
        return key

    def _bearable(self, now: datetime) -> _Kept | None:
        kept = self._kept
        return kept if kept is not None and kept.is_bearable(now) else None

    def _may_ask(self, now: datetime) -> bool:
        """A clock that was put back does not stop the asking."""
        asked_at = self._asked_at
        interval = ASKING_INTERVAL if self._bearable(now) else RETRY_INTERVAL
        return asked_at is None or not timedelta(0) <= now - asked_at < interval


def read_keys(body: bytes) -> Keys:
    """The RSA keys of a JWKS document that sign. Raises ProviderError (UNAVAILABLE) if it has none."""
    try:
        entries = msgspec.json.decode(body, type=dict[str, object]).get("keys")
        if not isinstance(entries, list) or len(entries) > MAXIMUM_KEYS:
            raise ValueError("no list of keys")
        keys = dict(filter(None, map(_read_key, entries)))
    except (ValueError, TypeError, KeyError, RecursionError, jwt.PyJWTError) as error:
        raise ProviderError(f"not a key document: {error!r:.200}", Fault.UNAVAILABLE) from error
    if not keys:
        raise ProviderError("a document without keys", Fault.UNAVAILABLE)
    return keys


def fetched_from(url: str, transport: Transport) -> Callable[[], KeyDocument]:
    """How the document of an address is fetched."""

    def fetch() -> KeyDocument:
        answer = transport.send("GET", url)
        if answer.status != 200:
            raise ProviderError(f"Google's keys: answered {answer.status}", Fault.UNAVAILABLE)
        said = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        return KeyDocument(answer.body, timedelta(seconds=int(said[1]) if said else 0))

    return fetch


def _read_key(entry: object) -> tuple[str, RSAPublicKey] | None:
    """None for a key of another kind, or for another use."""
    if not isinstance(entry, dict) or entry.get("kty") != "RSA":
        return None
    key_id = entry.get("kid")
    if entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256" or "d" in entry:
        return None
    key = RSAAlgorithm.from_jwk(entry)
    if not isinstance(key_id, str) or not isinstance(key, RSAPublicKey):
        raise TypeError("an RSA key without an id, or not a public one")
    if key.key_size < MINIMUM_KEY_BITS:
        raise ValueError(f"a key of {key.key_size} bits")
    return key_id, key
