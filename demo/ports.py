"""A port to serve on."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
TRIES = 50


class NoFreePort(Exception):
    """Every port that was tried is in use."""


def is_free(port: int) -> bool:
    """Whether nobody listens there. Also sees a server that would share its port with another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that a former server closed a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def first_free(preferred: int) -> int:
    """`preferred`, or the next one that is free. Raises NoFreePort."""
    for port in range(preferred, min(preferred + TRIES, 65_536)):
        if is_free(port):
            return port
    raise NoFreePort(f"None of the {TRIES} ports from {preferred} on is free; choose with --port.")


def any_free() -> int:
    """A port that the system chose."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def several_free(count: int) -> list[int]:
    """So many different ports that the system chose."""
    with ExitStack() as opened:
        probes = [
            opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            for _ in range(count)
        ]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
