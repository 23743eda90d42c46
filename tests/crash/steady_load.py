"""Requests that come at moments fixed beforehand, however those before them fare."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

Wire = tuple[str, bytes, dict[str, str]]
"""Path, body and headers."""


@dataclass
class Seen:
    """Answers by status, how long each took from when its request was due, and what was wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    without_retry_after: int = 0

    def percentile_ms(self, share: float) -> float:
        """The latency that `share` of the answers did not exceed."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


@contextmanager
def arriving(
    requests: Iterator[Wire],
    *,
    port: int,
    per_second: float,
    seconds: float,
    connections: int,
    sends_all: bool = True,
) -> Iterator["Future[Seen]"]:
    """Sends them for so long, meanwhile and beyond the block; the future has what was seen.

    Requests that are overdue when the time is over are sent, unless `sends_all` is off.
    """
    seen, turn, begin = Seen(), threading.Lock(), time.monotonic() + 0.2
    due = iter(begin + place / per_second for place in range(int(per_second * seconds)))

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            with turn:
                at, request = next(due, None), next(requests, None)
            is_over = not sends_all and time.monotonic() > begin + seconds
            if at is None or request is None or is_over:
                return connection.close()
            time.sleep(max(at - time.monotonic(), 0))
            path, body, headers = request
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            with turn:
                seen.statuses[answer.status] += 1
                seen.seconds.append(time.monotonic() - at)
                refused = answer.status in {429, 503}
                seen.without_retry_after += refused and answer.headers["Retry-After"] is None

    def send_all() -> Seen:
        with ThreadPoolExecutor(connections) as pool:
            for each in [pool.submit(send) for _ in range(connections)]:
                each.result()
        return seen

    with ThreadPoolExecutor(1) as director:
        yield director.submit(send_all)
