"""Where the stores of a demo answer, as the demo writes it down for them and for whoever buys there."""

from pathlib import Path

import msgspec

FOLDER = "stores"
FILE = "addresses.json"
LOOPBACK = "127.0.0.1"


class Addresses(msgspec.Struct, frozen=True):
    """The port of each store in this run of the demo and of the phone, and where the instance is that sells there."""

    apple: int
    google: int
    stripe: int
    phone: int
    backend: str

    def url(self, provider: str) -> str:
        """Where a store answers."""
        return f"http://{LOOPBACK}:{getattr(self, provider)}"

    def webhook(self, provider: str) -> str:
        """Where a store's notifications go."""
        return f"{self.backend}/v1/webhooks/{provider}"


def read(data_dir: Path) -> Addresses | None:
    """Those of the demo that runs in this folder, or ran last; None if none has."""
    file = data_dir / FOLDER / FILE
    return msgspec.json.decode(file.read_bytes(), type=Addresses) if file.exists() else None


def write(data_dir: Path, addresses: Addresses) -> None:
    """Keeps them for the stores, and for `read`."""
    (data_dir / FOLDER / FILE).write_bytes(msgspec.json.encode(addresses))
