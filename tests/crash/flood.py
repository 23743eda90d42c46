"""`python -m tests.crash.flood`: batches of events without end, from a process of its own.

It takes an `Order` on its standard input, says when it begins, and prints `Flooded` when its time is over. Threads
of one interpreter wait for each other: who times unlocks would time the flood's sender, too.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import msgspec

from tests.crash.instance import Instance
from tests.crash.steady_load import Wire, arriving
from tests.crash.undertaker import ROOT

EVENTS_PER_BATCH = 50


class Order(msgspec.Struct, frozen=True):
    """Whose batches, how many a second, for how long, over how many connections."""

    port: int
    tokens: list[str]
    per_second: float
    seconds: float
    connections: int


class Flooded(msgspec.Struct, frozen=True):
    """The answers by status, and how many refusals did not say when to come again."""

    statuses: dict[int, int]
    without_retry_after: int


@contextmanager
def flooding(
    instance: Instance, *, per_second: float, seconds: float, connections: int
) -> Iterator[Callable[[], Flooded]]:
    """Batches of new viewers arrive at the instance from here on; the function waits for their end."""
    tokens = [viewer.token for viewer in instance.bystanders.newcomers]
    order = Order(instance.port, tokens, per_second, seconds, connections)
    command = [sys.executable, "-m", "tests.crash.flood"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=instance.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(order))
        process.stdin.close()
        try:
            assert process.stdout.readline() == b"begins\n"
            yield lambda: msgspec.json.decode(process.stdout.read(), type=Flooded)
        finally:
            process.kill()


def main() -> None:
    import django

    django.setup()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    with arriving(
        _batches(order.tokens),
        port=order.port,
        per_second=order.per_second,
        seconds=order.seconds,
        connections=order.connections,
        sends_all=False,
    ) as sending:
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        seen = sending.result()
    sys.stdout.buffer.write(
        msgspec.json.encode(Flooded(dict(seen.statuses), seen.without_retry_after))
    )


def _batches(tokens: list[str]) -> Iterator[Wire]:
    """New batches without end, of viewers in turn."""
    from config import clock
    from tests.factories.events import app_open, batch

    for number in count():
        now = clock.read()
        sent = batch([app_open(at=now) for _ in range(EVENTS_PER_BATCH)], sent_at=now)
        headers = {
            "Authorization": f"Bearer {tokens[number % len(tokens)]}",
            "Content-Type": "application/json",
        }
        yield "/v1/events", msgspec.json.encode(sent), headers


if __name__ == "__main__":
    main()
