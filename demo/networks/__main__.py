"""`python -m demo.networks --port 9105 --folder .data/networks --target http://127.0.0.1:8000/v1/ssv`"""

from argparse import ArgumentParser
from pathlib import Path

from demo.networks.server import AdNetworks


def main() -> None:
    parser = ArgumentParser(prog="python -m demo.networks", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--target", default="", help="where callbacks go, before a network's name")
    parser.add_argument("--secret", default="", help="what the address ends in, but for AdMob")
    asked = parser.parse_args()
    networks = AdNetworks(asked.folder, target=asked.target, address_secret=asked.secret)
    networks.peer.serve(asked.port)


if __name__ == "__main__":
    main()
