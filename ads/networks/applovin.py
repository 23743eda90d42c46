"""AppLovin MAX's server-side callback: a GET of our own URL template, filled in.

AppLovin has two tokens for a template. EVENT_TOKEN is SHA-1 of the event id and the account's event key
(AppLovin, "How server-to-server callback works", whose example is among the tests' payloads).
EVENT_TOKEN_ALL is SHA-256 of the decoded values of all macros in alphabetical order and the event key
("S2S Rewarded Callback API"); AppLovin does not say there whether the tokens count among the macros, so
the template has no other token beside it.

Values are joined without a separator. In the template of docs/ads/applovin.md every one of them has one
length, so what is signed has one reading; a template with more parameters is refused.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ads.networks import queries
from ads.networks.base import Conduct, Keys, Part, SignedReward
from ads.networks.shared_secrets import SharedSecretAdapter, check_digest, usable

_BEGIN = datetime.fromtimestamp(0, UTC)
_SECONDS_DIGITS = 10

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "ad_unit_id": re.compile(r"[0-9a-f]{16}"),
    "custom_data": queries.OURS,
    "event_id": re.compile(r"[0-9a-f]{40}"),
    "ts": re.compile(r"[1-9][0-9]{9}([0-9]{3})?"),
    "user_id": queries.OURS,
}


class Token(StrEnum):
    """Which of AppLovin's tokens the template has, and a callback must prove itself with."""

    ALL = "event_token_all"
    EVENT = "event_token"


_TOKEN_SHAPES = {Token.ALL: re.compile(r"[0-9a-f]{64}"), Token.EVENT: re.compile(r"[0-9a-f]{40}")}
_COVERED = {Token.ALL: frozenset(Part), Token.EVENT: frozenset({Part.TRANSACTION})}


class AppLovinAdapter(SharedSecretAdapter):
    """Verifies with the account's event key. `event_keys` are all that may be in use, during a change."""

    def __init__(
        self, *, event_keys: Sequence[str], token: Token = Token.ALL, address_secret: str = ""
    ) -> None:
        super().__init__(address_secret=address_secret)
        self._event_keys = usable(event_keys, network="AppLovin")
        self._token = token
        self._shapes = {**_SHAPES, token: _TOKEN_SHAPES[token]}
        # It comes again only when it was not answered at all, and never for a test ad.
        self.conduct = Conduct(
            covered=_COVERED[token], answer_within_seconds=5.0, retries_seconds=(5.0, 5.0)
        )

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """See NetworkAdapter."""
        values = queries.read(query_string, required=self._shapes)
        signed = self._signed(values)
        algorithm = "sha256" if self._token is Token.ALL else "sha1"
        check_digest(
            (hashlib.new(algorithm, signed + key).hexdigest() for key in self._event_keys),
            values[self._token],
        )
        number = int(values["ts"])
        unit = "seconds" if len(values["ts"]) == _SECONDS_DIGITS else "milliseconds"
        return SignedReward(
            transaction_id=values["event_id"],
            ad_unit=values["ad_unit_id"],
            custom_data=values["custom_data"],
            user_id=values["user_id"],
            is_probe=False,
            watched_at=_BEGIN + timedelta(**{unit: number}),
        )

    def _signed(self, values: Mapping[str, str]) -> bytes:
        if self._token is Token.EVENT:
            return values["event_id"].encode()
        return "".join(values[name] for name in sorted(_SHAPES)).encode()
