"""`python -m demo.phone --data-dir .data`: the phone, beside a demo's instance and its stores."""

from argparse import ArgumentParser
from pathlib import Path

from demo.phone.server import Phone
from demo.stores import addresses


def main() -> None:
    parser = ArgumentParser(prog="python -m demo.phone")
    parser.add_argument("--data-dir", type=Path, required=True)
    at = addresses.read(parser.parse_args().data_dir)
    if at is None:
        raise SystemExit("no demo has been started in that folder")
    Phone(at).serve(at.phone)


if __name__ == "__main__":
    main()
