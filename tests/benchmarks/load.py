"""A closed-loop HTTP load generator: few instructions a request, since it shares the cores."""

import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PROCESSES = 2


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
