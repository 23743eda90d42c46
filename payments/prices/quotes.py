"""Quotes: what was shown is what is charged.

A quote is a sealed token that names the viewer, the series and the numbering of its episodes, the
price version with what adjusts it, the experiment arm and the environment. Unlocking verifies it without
a read and charges exactly that price, even if another is in force since.

A quote for an episode, one for renting it and one for the rest of a series are sealed for different
purposes: none is taken for another.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
from django.conf import settings

from config import seals
from config.problems import Problem
from payments.prices.pricing import Price

_PURPOSE = "quote"
_RENTAL = "rental_quote"
_BUNDLE = "bundle_quote"
_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")


class QuoteInvalid(Problem):
    code = "quote_invalid"
    title = "The quote was altered or made for something else; take the new one"


class QuoteExpired(Problem):
    """`lapsed` is what it had promised."""

    code = "quote_expired"
    title = "The quote has expired; take the new one"
    lapsed: "Promise"


class Promise(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What every quote promises. `expires_at` is in whole Unix seconds."""

    viewer_id: UUID
    environment: str
    series_id: UUID
    numbering: int
    price_version_id: UUID
    arm: str
    expires_at: int
    adjustment_ids: tuple[UUID, ...] = ()
    way_adjustment_id: UUID | None = None

    @property
    def price(self) -> Price:
        """What it promises."""
        return Price(
            version_id=self.price_version_id,
            adjustment_ids=self.adjustment_ids,
            arm=self.arm,
            way_adjustment_id=self.way_adjustment_id,
        )

    @property
    def expires(self) -> datetime:
        """The moment from which it is not honoured any more."""
        return datetime.fromtimestamp(self.expires_at, UTC)


class Quote(Promise, array_like=True, frozen=True, kw_only=True):
    """The price of every episode of a series: for good, or with `rental_seconds` for so long."""

    rental_seconds: int | None = None

    def token(self) -> str:
        """The quote as clients carry it."""
        purpose = _PURPOSE if self.rental_seconds is None else _RENTAL
        return seals.seal(purpose, _encoder.encode(self))


class BundleQuote(Promise, array_like=True, frozen=True, kw_only=True):
    """The price of these episodes of a series together, all or none of them.

    Bit n of `mask` stands for episode `first_number` + n, so that a token is small however many there
    are, and whichever.
    """

    first_number: int
    mask: bytes
    total_coins: int

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the episodes, in order."""
        mask = int.from_bytes(self.mask, "big")
        return [self.first_number + bit for bit in range(mask.bit_length()) if mask >> bit & 1]

    def token(self) -> str:
        """The quote as clients carry it."""
        return seals.seal(_BUNDLE, _encoder.encode(self))


Promised = TypeVar("Promised", bound=Promise)


def make(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    numbering: int,
    price: Price,
    now: datetime,
    rental_seconds: int | None = None,
) -> Quote:
    """A quote that is honoured for QUOTE_SECONDS from `now`."""
    return Quote(
        viewer_id=viewer_id,
        environment=environment,
        series_id=series_id,
        numbering=numbering,
        price_version_id=price.version_id,
        adjustment_ids=price.adjustment_ids,
        way_adjustment_id=price.way_adjustment_id,
        arm=price.arm,
        expires_at=_expiry(now),
        rental_seconds=rental_seconds,
    )


def make_bundle(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    numbering: int,
    price: Price,
    numbers: Collection[int],
    now: datetime,
) -> BundleQuote:
    """A quote for these episodes together, one at least, honoured for QUOTE_SECONDS from `now`."""
    first, ladder = min(numbers), price.ladder
    mask = sum(1 << (number - first) for number in numbers)
    return BundleQuote(
        viewer_id=viewer_id,
        environment=environment,
        series_id=series_id,
        numbering=numbering,
        price_version_id=price.version_id,
        adjustment_ids=price.adjustment_ids,
        way_adjustment_id=price.way_adjustment_id,
        arm=price.arm,
        expires_at=_expiry(now),
        first_number=first,
        mask=mask.to_bytes((mask.bit_length() + 7) // 8, "big"),
        total_coins=sum(ladder.price_of(number) for number in numbers),
    )


def verify(token: str, *, viewer_id: UUID, environment: str, now: datetime) -> Quote:
    """The quote inside `token`, for good or of a rental, if it is genuine, this viewer's and live.

    Raises QuoteInvalid when altered or somebody else's, QuoteExpired from `expires_at` on.
    """
    return _verified(token, _EPISODE, viewer_id=viewer_id, environment=environment, now=now)


def verify_bundle(token: str, *, viewer_id: UUID, environment: str, now: datetime) -> BundleQuote:
    """The bundle's quote inside `token`, as `verify` does it for an episode's. Raises what it raises."""
    return _verified(token, _REST, viewer_id=viewer_id, environment=environment, now=now)


_EPISODE: Mapping[str, type[Quote]] = {_PURPOSE: Quote, _RENTAL: Quote}
_REST: Mapping[str, type[BundleQuote]] = {_BUNDLE: BundleQuote}


def _verified(
    token: str,
    kinds: Mapping[str, type[Promised]],
    *,
    viewer_id: UUID,
    environment: str,
    now: datetime,
) -> Promised:
    promise = _opened(token, kinds)
    if (promise.viewer_id, promise.environment) != (viewer_id, environment):
        raise QuoteInvalid
    if now.timestamp() >= promise.expires_at:
        expired = QuoteExpired()
        expired.lapsed = promise
        raise expired
    return promise


def _opened(token: str, kinds: Mapping[str, type[Promised]]) -> Promised:
    for purpose, kind in kinds.items():
        try:
            return msgspec.msgpack.decode(seals.unseal(purpose, token), type=kind)
        except seals.SealBroken:
            continue
        except msgspec.DecodeError as error:
            raise QuoteInvalid from error
    raise QuoteInvalid


def _expiry(now: datetime) -> int:
    return int((now + timedelta(seconds=settings.QUOTE_SECONDS)).timestamp())
