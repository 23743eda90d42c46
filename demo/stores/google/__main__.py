"""`python -m demo.stores.google --port 9102 --folder .data/stores/google --push http://…/stores/google`

Its folder gets `service_account.json` at the first start, to ask with; `GET /_app` tells the rest.
"""

from argparse import ArgumentParser
from pathlib import Path

from demo.stores import stamps
from demo.stores.google.server import PACKAGE_NAME, GooglePeer


def main() -> None:
    parser = ArgumentParser(prog="python -m demo.stores.google")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--package-name", default=PACKAGE_NAME)
    parser.add_argument("--push", default="", help="where notifications go")
    parser.add_argument("--discovery", type=Path, help="Google's document, to judge calls by")
    given = parser.parse_args()
    peer = GooglePeer(
        given.folder,
        address=f"http://127.0.0.1:{given.port}",
        package_name=given.package_name,
        push_url=given.push,
        discovery=given.discovery,
        stamp=stamps.from_environment(),
    )
    peer.peer.serve(given.port)


if __name__ == "__main__":
    main()
