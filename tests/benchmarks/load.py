"""HTTP load, closed loop and open loop: few instructions a request, since it shares the cores."""

import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

PROCESSES = 2

#: More than the server has threads, so that a request waits there and not with its sender.
OPEN_LOOP_CONNECTIONS = 64


@dataclass(frozen=True)
class Load:
    """What a run of load saw: answers by status, over `seconds`."""

    statuses: dict[int, int]
    seconds: float

    @property
    def per_second(self) -> float:
        """Answers of status 200 a second."""
        return self.statuses.get(200, 0) / self.seconds

    def only(self, status: int) -> "Load":
        """Itself. Raises AssertionError if any other status was answered."""
        if set(self.statuses) != {status}:
            raise AssertionError(f"expected only {status}, got {self.statuses}")
        return self


#: Makes a client's requests: client number → endless raw HTTP/1.1 requests.
Requests = Callable[[int], Iterator[bytes]]


def run(*, port: int, requests: Requests, clients: int, seconds: float) -> Load:
    """Drives the server with `clients` keep-alive connections for `seconds`."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[Counter[int]] = context.Queue()
    share = clients // PROCESSES
    begin = time.monotonic() + 1  # everybody has connected and made first requests by then
    workers = [
        context.Process(
            target=_drive,
            args=(port, requests, range(n * share, (n + 1) * share), begin, seconds, results),
        )
        for n in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    statuses: Counter[int] = sum((results.get() for _ in workers), Counter())
    for worker in workers:
        worker.join()
    return Load(dict(statuses), seconds)


@dataclass(frozen=True)
class Latencies:
    """How long each answer took from the moment its request was due, in ascending order."""

    seconds: list[float]

    def percentile_ms(self, share: float) -> float:
        """The latency that `share` of the answers did not exceed."""
        return self.seconds[min(int(len(self.seconds) * share), len(self.seconds) - 1)] * 1000


def at_rate(
    *, port: int, requests: Sequence[bytes], per_second: float, status: int = 200
) -> Latencies:
    """Sends the requests at moments that were fixed beforehand, however the server does.

    A request that has to wait for a free connection has been waiting since it was due, and all that
    time counts. Raises AssertionError for any answer but `status`.
    """
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[list[float]] = context.Queue()
    begin = time.monotonic() + 1
    workers = [
        context.Process(
            target=_follow_schedule,
            args=(
                port,
                requests[n::PROCESSES],
                begin + n / per_second,
                per_second,
                status,
                results,
            ),
        )
        for n in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    latencies = sorted(latency for _ in workers for latency in results.get())
    for worker in workers:
        worker.join()
    if len(latencies) != len(requests):
        raise AssertionError(f"{len(requests)} requests, {len(latencies)} answers of {status}")
    return Latencies(latencies)


def _follow_schedule(
    port: int,
    requests: Sequence[bytes],
    begin: float,
    per_second: float,
    status: int,
    results: "multiprocessing.Queue[list[float]]",
) -> None:
    due = ((begin + place * PROCESSES / per_second, sent) for place, sent in enumerate(requests))
    turn = threading.Lock()
    latencies: list[float] = []

    def send() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with turn:
                    at, request = next(due, (0.0, b""))
                if not request:
                    return
                time.sleep(max(at - time.monotonic(), 0))
                connection.sendall(request)
                if _read_status(connection) == status:
                    latencies.append(time.monotonic() - at)

    threads = [threading.Thread(target=send) for _ in range(OPEN_LOOP_CONNECTIONS // PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(latencies)


def _drive(
    port: int,
    requests: Requests,
    numbers: range,
    begin: float,
    seconds: float,
    results: "multiprocessing.Queue[Counter[int]]",
) -> None:
    counts = [Counter[int]() for _ in numbers]
    threads = [
        threading.Thread(target=_client, args=(port, requests(number), begin, seconds, count))
        for number, count in zip(numbers, counts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum(counts, Counter()))


def _client(
    port: int, requests: Iterator[bytes], begin: float, seconds: float, count: Counter[int]
) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(max(begin - time.monotonic(), 0))
        end = begin + seconds
        while time.monotonic() < end:
            connection.sendall(next(requests))
            count[_read_status(connection)] += 1


def _read_status(connection: socket.socket) -> int:
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
    missing = length - len(body)
    while missing > 0:
        missing -= len(_more(connection))
    return int(head[9:12])


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("the server closed the connection in the middle of an answer")
    return chunk
