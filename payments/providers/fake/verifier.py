"""The fake store's adapter: verifies what `payments.providers.fake.store` signs.

Protocol: a JWS (RFC 7515) in compact form, ES256, header `typ` `fake-store-transaction+jwt`; the
payload's members are those of `_Payload`. There is one key, the store's; no other algorithm, type
or key is accepted.
"""

from datetime import UTC, datetime
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from payments.providers.base import ProviderError, StoreTransaction

TYPE = "fake-store-transaction+jwt"
ALGORITHM = "ES256"


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    transaction_id: str
    product_id: str
    account_token: UUID
    environment: str
    price_micros: int
    currency: str
    purchased_at_ms: int
    intent_id: UUID | None = None


class FakeStoreAdapter:
    """Verifies with the store's public key alone."""

    def __init__(self, public_key: EllipticCurvePublicKey) -> None:
        self._public_key = public_key

    def verify_transaction(self, signed: str) -> StoreTransaction:
        """See ProviderAdapter. Every failure is permanent: there is nobody to ask again."""
        try:
            if jwt.get_unverified_header(signed).get("typ") != TYPE:
                raise ProviderError("not a fake store transaction", permanent=True)
            claims = jwt.decode(
                signed,
                self._public_key,
                algorithms=[ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            payload = msgspec.convert(claims, _Payload)
            purchased_at = datetime.fromtimestamp(payload.purchased_at_ms / 1000, UTC)
        except (jwt.InvalidTokenError, ValueError, OverflowError, OSError) as error:
            raise ProviderError(
                f"the signature or shape is wrong: {error}", permanent=True
            ) from error
        return StoreTransaction(
            environment=payload.environment,
            transaction_id=payload.transaction_id,
            store_product_id=payload.product_id,
            account_token=payload.account_token,
            intent_id=payload.intent_id,
            price_micros=payload.price_micros,
            currency=payload.currency,
            purchased_at=purchased_at,
        )
