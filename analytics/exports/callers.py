"""Who asks for exports: a key or an operator. Each has exports of their own, and is in the record of them."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from analytics.models import Export, ExportAct, ExportRecord
from config import keyring

_PURPOSE = "export-address"


@dataclass(frozen=True)
class Caller:
    """One of the two, and where they call from."""

    api_key_id: UUID | None = None
    operator_id: int | None = None
    address: str | None = None

    @property
    def who(self) -> dict[str, UUID | int | None]:
        """The same as the members of a row."""
        return {"api_key_id": self.api_key_id, "operator_id": self.operator_id}

    def __str__(self) -> str:
        kind, value = (
            ("key", self.api_key_id) if self.api_key_id else ("operator", self.operator_id)
        )
        return f"{kind} {value}"


def record(export: Export, act: ExportAct, *, by: Caller, now: datetime) -> None:
    """Notes who did that, in the transaction in which it is done."""
    ExportRecord.objects.create(
        export=export,
        act=act,
        at=now,
        row_count=export.row_count,
        address_hash=_hashed(by.address),
        **by.who,
    )


def _hashed(address: str | None) -> str:
    """By the oldest key of the ring, so that it stays the same for as long as can be."""
    if address is None:
        return ""
    keys = keyring.keys_for(_PURPOSE)
    *_, oldest = keys.by_id.values()
    return hmac.digest(oldest, address.encode(), hashlib.sha256).hex()
