"""`python -m demo.stores.stripe --port 9103 --folder .data/stores/stripe --webhook http://…/webhooks/stripe`"""

from argparse import ArgumentParser
from pathlib import Path

from demo.stores import stamps
from demo.stores.stripe.server import StripePeer


def main() -> None:
    parser = ArgumentParser(prog="python -m demo.stores.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--webhook", default="", help="where events go")
    parser.add_argument("--live", action="store_true", help="a live account, not one for tests")
    asked = parser.parse_args()
    StripePeer(
        asked.folder,
        webhook_url=asked.webhook,
        is_live=asked.live,
        stamp=stamps.from_environment(),
    ).peer.serve(asked.port)


if __name__ == "__main__":
    main()
