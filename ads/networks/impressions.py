"""Impressions that a network's server tells ours of, one by one: a query string in, a frozen fact out.

AppLovin MAX alone is known to do so: a GET of our own URL template, which its account team switches on. No
contract of it is published. The parameters here are those that were seen in the field, and the token that of
its other callbacks, SHA-1 of the event id and the account's event key; both are to be confirmed by a live
postback. The token covers the event's id alone, so the address has to be secret as well.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from ads.networks import queries
from ads.networks.shared_secrets import check_digest, usable

_BEGIN = datetime.fromtimestamp(0, UTC)
_SECONDS_DIGITS = 10


@dataclass(frozen=True, kw_only=True)
class ToldImpression:
    """An impression as a network's server tells of it. `user_id` is what the app gave to the SDK, "" if it gave
    nothing; `format` and `precision` are words of ours."""

    impression_id: str
    ad_unit_id: str
    user_id: str
    country: str
    format: str
    revenue_micros: int
    currency: str
    precision: str
    occurred_at: datetime


class ImpressionAdapter(Protocol):
    """The verbs of a network that tells of impressions."""

    address_secret: str

    def read(self, query_string: str) -> ToldImpression:
        """The impression that a query string tells of. Raises NetworkError, and nothing else."""
        ...


_SHAPES: Mapping[str, re.Pattern[str]] = {
    "ad_unit_id": re.compile(r"[0-9a-f]{16}"),
    "cc": re.compile(r"([A-Za-z]{2})?"),
    "event_id": re.compile(r"[0-9a-f]{40}"),
    "event_token": re.compile(r"[0-9a-f]{40}"),
    "format": re.compile(r"[A-Za-z_ ]{0,30}"),
    "precision": re.compile(r"[A-Za-z_]{0,30}"),
    # In dollars; a small one may be written with an exponent.
    "revenue": re.compile(r"[0-9]{1,6}(\.[0-9]{1,20})?([eE]-[0-9]{1,2})?"),
    "ts": re.compile(r"[1-9][0-9]{9}([0-9]{3})?"),
    "user_id": re.compile(rf"({queries.OURS.pattern})?"),
}
_FORMATS = {
    "rewarded": "rewarded",
    "reward": "rewarded",
    "inter": "interstitial",
    "interstitial": "interstitial",
    "banner": "banner",
    "mrec": "banner",
    "leader": "banner",
}
_PRECISIONS = {"exact": "precise", "estimated": "estimated", "publisher_defined": "publisher"}


class AppLovinImpressions:
    """Verifies with the account's event key. `event_keys` are all that may be in use, during a change."""

    def __init__(self, *, event_keys: Sequence[str], address_secret: str) -> None:
        self.address_secret = address_secret
        self._event_keys = usable(event_keys, network="AppLovin")

    def read(self, query_string: str) -> ToldImpression:
        """See ImpressionAdapter."""
        values = queries.read(query_string, required=_SHAPES)
        signed = values["event_id"].encode()
        check_digest(
            (
                hashlib.sha1(signed + key, usedforsecurity=False).hexdigest()
                for key in self._event_keys
            ),
            values["event_token"],
        )
        unit = "seconds" if len(values["ts"]) == _SECONDS_DIGITS else "milliseconds"
        micros = Decimal(values["revenue"]) * 1_000_000
        return ToldImpression(
            impression_id=values["event_id"],
            ad_unit_id=values["ad_unit_id"],
            user_id=values["user_id"],
            country=values["cc"].upper(),
            format=_FORMATS.get(values["format"].lower(), "other"),
            revenue_micros=int(micros.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)),
            currency="USD",
            precision=_PRECISIONS.get(values["precision"].lower(), "unknown"),
            occurred_at=_BEGIN + timedelta(**{unit: int(values["ts"])}),
        )
