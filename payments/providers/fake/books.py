"""What the fake store has sold and given back, as it remembers it: a file with a line for each."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from payments.providers import lines
from payments.providers.base import (
    Fact,
    Facts,
    Fee,
    Listed,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)


class Entry(msgspec.Struct, omit_defaults=True):
    """One fact of money. `line_id` names its line where the store lists it more than once, `fee_micros` is what
    the store kept of it. A real store's list may lag behind what it knows, or have what it knows
    no more."""

    transaction: StoreTransaction | None = None
    subscription: SubscriptionSnapshot | None = None
    refund: StoreRefund | None = None
    line_id: str = ""
    fee_micros: int | None = None
    fee_currency: str = "USD"
    is_listed: bool = True
    is_known: bool = True

    @property
    def fact(self) -> Fact:
        found = self.transaction or self.subscription or self.refund
        if found is None:
            raise ValueError("an entry of nothing")
        return found


class Books:
    """The store's file, which several processes may write and read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0
        self._entries: list[Entry] = []
        self._by_name: dict[tuple[str, str], list[Entry]] = {}

    def write(self, *entries: Entry) -> None:
        """Adds entries behind the others."""
        text = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(text)

    def listed(self) -> Iterator[Listed]:
        """The store's list."""
        self._read()
        for entry in self._entries:
            if entry.is_listed:
                for line in lines.of_facts((entry.fact,)):
                    fee = entry.fee_micros
                    yield replace(
                        line,
                        line_id=entry.line_id or line.line_id,
                        fee=None if fee is None else Fee(fee, entry.fee_currency),
                    )

    def named(self, environment: str, transaction_id: str) -> Facts:
        """What the store knows of one transaction."""
        self._read()
        found = self._by_name.get((environment, transaction_id), ())
        return tuple(entry.fact for entry in found if entry.is_known)

    def _read(self) -> None:
        """What was added since it was read last."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for text in whole.splitlines():
            entry = msgspec.json.decode(text, type=Entry)
            self._entries.append(entry)
            for line in lines.of_facts((entry.fact,)):
                name = (line.environment, line.transaction_id)
                self._by_name.setdefault(name, []).append(entry)
