"""`python -m demo.stores.apple --port 9101 --folder …`: the App Store, as a process of its own.

Its folder gets, at the first start, what a backend needs to know of it: `app.json`, the names; `root.der`, the
root certificate to configure in place of Apple's; `in_app_purchase_key.p8`, the key to ask with.
"""

import argparse
import secrets
import uuid
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from demo.stores import stamps
from demo.stores.apple.authority import Authority, read_key, write_key
from demo.stores.apple.books import Books
from demo.stores.apple.commands import Commands
from demo.stores.apple.server_api import Credentials, ServerApi
from demo.stores.apple.shop import App, Shop
from demo.stores.deliveries import Deliveries, Stamp
from demo.stores.kept import Kept
from demo.stores.peer import Clock, Peer

BUNDLE_ID = "app.cliffhanger.demo"
APP_APPLE_ID = 1_914_000_001
KEY = "in_app_purchase_key.p8"


class Names(msgspec.Struct):
    """`app.json`."""

    bundle_id: str
    app_apple_id: int
    issuer_id: str
    key_id: str


def peer(
    folder: Path,
    *,
    bundle_id: str,
    app_apple_id: int,
    notify: dict[str, str],
    stamp: Stamp | None = None,
) -> Peer:
    """The store of a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    clock, deliveries = Clock(), Deliveries(stamp=stamp)
    names = read_names(folder, bundle_id=bundle_id, app_apple_id=app_apple_id)
    shop = Shop(
        app=App(names.bundle_id, names.app_apple_id, notify),
        authority=Authority.kept(folder, clock()),
        books=Kept(folder / "books.json", Books()),
        clock=clock,
        deliveries=deliveries,
    )
    api = ServerApi(shop, Credentials(names.issuer_id, names.key_id), read_key(folder / KEY))

    def ticked(now: Any) -> None:
        shop.catch_up()

    return Peer(
        routes=[*api.routes(), *Commands(shop).routes()],
        folder=folder,
        clock=clock,
        deliveries=deliveries,
        ticked=ticked,
    )


def read_names(
    folder: Path, *, bundle_id: str = BUNDLE_ID, app_apple_id: int = APP_APPLE_ID
) -> Names:
    """Those of a folder; made, with the key that goes with them, if there are none."""
    names_file = folder / "app.json"
    if not names_file.exists():
        write_key(folder / KEY, ec.generate_private_key(ec.SECP256R1()))
        made = Names(
            bundle_id=bundle_id,
            app_apple_id=app_apple_id,
            issuer_id=str(uuid.uuid4()),
            key_id=secrets.token_hex(5).upper(),
        )
        names_file.write_bytes(msgspec.json.encode(made))
    return msgspec.json.decode(names_file.read_bytes(), type=Names)


def main() -> None:
    parser = argparse.ArgumentParser(prog="demo.stores.apple")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bundle-id", default=BUNDLE_ID)
    parser.add_argument("--app-apple-id", type=int, default=APP_APPLE_ID)
    parser.add_argument("--notify", default="", help="where Production's notifications go")
    parser.add_argument("--notify-sandbox", default="", help="where Sandbox's notifications go")
    given = parser.parse_args()
    peer(
        given.folder,
        bundle_id=given.bundle_id,
        app_apple_id=given.app_apple_id,
        notify={"Production": given.notify, "Sandbox": given.notify_sandbox},
        stamp=stamps.from_environment(),
    ).serve(given.port)


if __name__ == "__main__":
    main()
