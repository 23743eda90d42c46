"""Quotes: what was shown is what is charged.

A quote is a sealed token that names the viewer, the series and the numbering of its episodes, the
price version with what adjusts it, the experiment arm and the environment. Unlocking verifies it without
a read and charges exactly that price, even if another is in force since.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings

from config import seals
from config.problems import Problem
from payments.pricing import Price

_PURPOSE = "quote"
_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")


class QuoteInvalid(Problem):
    code = "quote_invalid"
    title = "The quote was altered or made for something else; take the new one"


class QuoteExpired(Problem):
    code = "quote_expired"
    title = "The quote has expired; take the new one"


class Quote(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The promise inside a quote token. `expires_at` is in whole Unix seconds."""

    viewer_id: UUID
    environment: str
    series_id: UUID
    numbering: int
    price_version_id: UUID
    arm: str
    expires_at: int
    adjustment_ids: tuple[UUID, ...] = ()

    @property
    def price(self) -> Price:
        """What it promises."""
        return Price(
            version_id=self.price_version_id, adjustment_ids=self.adjustment_ids, arm=self.arm
        )

    @property
    def expires(self) -> datetime:
        """The moment from which it is not honoured any more."""
        return datetime.fromtimestamp(self.expires_at, UTC)

    def token(self) -> str:
        """The quote as clients carry it."""
        return seals.seal(_PURPOSE, _encoder.encode(self))


def make(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    numbering: int,
    price: Price,
    now: datetime,
) -> Quote:
    """A quote that is honoured for QUOTE_SECONDS from `now`."""
    expires_at = now + timedelta(seconds=settings.QUOTE_SECONDS)
    return Quote(
        viewer_id=viewer_id,
        environment=environment,
        series_id=series_id,
        numbering=numbering,
        price_version_id=price.version_id,
        adjustment_ids=price.adjustment_ids,
        arm=price.arm,
        expires_at=int(expires_at.timestamp()),
    )


def verify(token: str, *, viewer_id: UUID, environment: str, now: datetime) -> Quote:
    """The quote inside `token`, if it is genuine, this viewer's and live.

    Raises QuoteInvalid when altered or somebody else's, QuoteExpired from `expires_at` on.
    """
    try:
        quote = msgspec.msgpack.decode(seals.unseal(_PURPOSE, token), type=Quote)
    except (seals.SealBroken, msgspec.DecodeError) as error:
        raise QuoteInvalid from error
    if (quote.viewer_id, quote.environment) != (viewer_id, environment):
        raise QuoteInvalid
    if now.timestamp() >= quote.expires_at:
        raise QuoteExpired
    return quote
