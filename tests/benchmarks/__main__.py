"""`make bench`: measures on a private, durable instance and prints `name value unit` lines.

Figures that are compared come from the same run on the same machine: read the ratios.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks import webhooks

if TYPE_CHECKING:  # it needs settings, which private_instance makes
    from tests.benchmarks.population import Population

CLIENTS = 16
BUSY_CLIENTS = 4
SECONDS = 10.0
IN_PROCESS_SECONDS = 5.0
TURNS = 3
SHARE_OF_MAXIMUM = 0.7
LARGE_BATCH = 200
MERGED_EVENTS = 3_000_000
#: Events of the lake that reports are timed on, and of the smaller one that tells how they grow.
LAKE = (20_000_000, 5_000_000)
LARGE_LAKE = (100_000_000, 20_000_000)
ROOT = Path(__file__).resolve().parent.parent.parent


def say(name: str, value: float, unit: str) -> None:
    """One figure on standard output; nothing else goes there."""
    digits = 3 if value < 10 else 1
    print(f"{name} {value:.{digits}f} {unit}", flush=True)  # noqa: T201


def progress(text: str) -> None:
    """What is being done, for a person who waits."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def private_instance() -> Iterator[None]:
    """Django on services of its own, durable, in a temporary folder."""
    folder = tempfile.mkdtemp(prefix="cliffhanger-bench-")
    os.chmod(folder, 0o711)  # noqa: S103  an unprivileged uid serves it when root measures
    os.environ.update(
        APP_MODE="test",
        DATA_DIR=folder,
        EMBEDDED_DURABLE="on",
        LOG_LEVEL="ERROR",
        # As in processes that take nothing but events: as many as have threads.
        EVENTS_AT_ONCE="8",
        DJANGO_SETTINGS_MODULE="config.settings",
        **webhooks.environment(Path(folder)),
    )
    for name in ("DATABASE_URL", "REDIS_URL", "CACHE_URL"):
        os.environ.pop(name, None)
    try:
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        call_command("migrate", verbosity=0)
        yield
        connection.close()
        connection.close_pool()
    finally:
        subprocess.run(
            [sys.executable, "-m", "config.embedded", "--data-dir", folder, "stop", "--force"],
            cwd=ROOT,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def web_server() -> Iterator[int]:
    """The production web server on a free port, ended by its process group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "2",
        "--blocking-threads",
        "8",
        "--log-level",
        "error",
        "--no-access-log",
        "config.wsgi:application",
    ]
    server = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        _wait_until_ready(port)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_until_ready(port: int) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the web server did not become ready")


def pgbench(script: str, *, seconds: float, clients: int = CLIENTS) -> float:
    """Transactions a second of a script, with the tool of the server's own version."""
    from django.db import connection

    from config.embedded import binaries

    settings = connection.settings_dict
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        os.chmod(file.name, 0o644)
        finished = subprocess.run(
            [
                binaries.postgres_tool("pgbench"),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={clients}",
                "--jobs=2",
                f"--time={seconds:.0f}",
                f"--file={file.name}",
                f"--host={settings['HOST']}",
                f"--username={settings['USER']}",
                settings["NAME"],
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"tps = ([0-9.]+)", finished.stdout)
    if finished.returncode or found is None:
        raise RuntimeError(finished.stdout + finished.stderr)
    return float(found[1])


def measure_unlocks(population: "Population", *, port: int) -> None:
    """Over HTTP as fast as clients can, the same function in pgbench, and HTTP at a steady rate."""
    from tests.benchmarks import load

    prepared = [list(_unlocks(population, client)) for client in range(CLIENTS)]
    share = len(prepared[0]) // (TURNS + 2)
    turns = [
        _turn([client[n * share : (n + 1) * share] for client in prepared], population, port=port)
        for n in range(TURNS + 1)
    ]
    http, tps = zip(*turns[1:], strict=True)  # the first turn warmed both up
    rate = median(http) * SHARE_OF_MAXIMUM
    progress(f"unlocks that arrive at {rate:.0f} a second")
    coming = [each for turn in zip(*(p[-share:] for p in prepared), strict=True) for each in turn]
    latencies = load.at_rate(port=port, requests=coming[: round(rate * SECONDS)], per_second=rate)
    say("unlock_http_rps", median(http), "requests/s")
    say("unlock_pgbench_tps", median(tps), "transactions/s")
    ratios = (mine / bare for mine, bare in zip(http, tps, strict=True))
    say("unlock_http_vs_pgbench", median(ratios), "ratio")
    say("unlock_p50_ms", latencies.percentile_ms(0.5), "ms")
    say("unlock_p99_ms", latencies.percentile_ms(0.99), "ms")


def _turn(
    requests: list[list[bytes]], population: "Population", *, port: int
) -> tuple[float, float]:
    """Unlocks a second over HTTP and then in pgbench: what the one writes is not the other's burden."""
    from tests.benchmarks import load

    progress("unlocks over HTTP, and in pgbench")
    settle_disk()
    seen = load.run(
        port=port,
        requests=lambda client: iter(requests[client]),
        clients=CLIENTS,
        seconds=SECONDS / 2,
    )
    http_rps = seen.only(200).per_second
    settle_disk()
    return http_rps, pgbench(population.pgbench_script(), seconds=SECONDS / 2)


def settle_disk() -> None:
    """Writes out what is dirty, so that a measurement does not pay for the one before it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def _unlocks(population: "Population", client: int) -> Iterator[bytes]:
    """Each client has viewers of its own, so that no episode is asked for twice."""
    from tests.benchmarks.population import EPISODES, FIRST_LOCKED, VIEWERS

    locked = EPISODES - FIRST_LOCKED + 1
    for turn, viewer in enumerate(range(client + 1, VIEWERS + 1, CLIENTS)):
        yield population.unlock_request(viewer=viewer, episode=FIRST_LOCKED + turn % locked)


def measure_selling(population: "Population", *, port: int) -> None:
    """The paywall of a long series."""
    from tests.benchmarks import selling

    progress("paywalls of a hundred episodes")
    shown = selling.paywalls_per_second(population, port=port, clients=CLIENTS, seconds=SECONDS)
    say("paywall_rps", shown, "requests/s")
    say("paywall_queries", selling.paywall_queries(population), "queries")
    say("quote_verify_us", selling.verify_microseconds(population), "us")


def measure_reads(*, port: int) -> None:
    """The public catalog, beside a view that does nothing."""
    from tests.benchmarks import load

    def per_second(path: str) -> float:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        seen = load.run(
            port=port, requests=lambda client: repeat(request), clients=CLIENTS, seconds=SECONDS
        )
        return seen.only(200).per_second

    progress("an empty view, and the public catalog")
    empty, catalog = per_second("/livez"), per_second("/v1/series?limit=20")
    say("catalog_rps", catalog, "requests/s")
    say("empty_view_rps", empty, "requests/s")
    say("catalog_vs_empty_view", catalog / empty, "ratio")


def measure_intake(*, port: int) -> None:
    """Events into the inbox and on into the lake, and networks' callbacks."""
    from tests.benchmarks import events, ssv

    progress("events over HTTP, and from the inbox into the lake")
    reported = events.http_events_per_second(port=port, clients=CLIENTS, seconds=SECONDS)
    say("events_http_per_s", reported, "events/s")
    larger = events.http_events_per_second(
        port=port, clients=CLIENTS, seconds=SECONDS, per_batch=LARGE_BATCH
    )
    say("events_http_200_per_s", larger, "events/s")
    say("flush_events_per_s", events.flush_events_per_second(), "events/s")
    progress("rewarded ads")
    settled = ssv.callbacks_per_second(port=port, clients=CLIENTS, seconds=SECONDS)
    say("ssv_callbacks_per_s", settled, "callbacks/s")


def measure_webhooks(population: "Population", *, port: int) -> None:
    """What a store waits for while others unlock as fast as four of them can."""
    progress("stores' notifications while Postgres is busy")
    settle_disk()
    taken = webhooks.acknowledgements(
        port=port,
        seconds=SECONDS,
        busy=lambda: pgbench(population.pgbench_script(), seconds=SECONDS, clients=BUSY_CLIENTS),
    )
    say("webhook_ack_p50_ms", taken.percentile_ms(0.5), "ms")
    say("webhook_ack_p99_ms", taken.percentile_ms(0.99), "ms")


def measure_in_process(population: "Population") -> None:
    """One client without HTTP, against other ways to write the same."""
    from tests.benchmarks import in_process, ledger, selling

    progress("unlocks in this process, by us, by ORM code and with django-hordak")
    ours = in_process.unlocks_per_second(population, seconds=IN_PROCESS_SECONDS)
    by_orm = in_process.orm_unlocks_per_second(population, seconds=IN_PROCESS_SECONDS)
    hordak = in_process.hordak_transfers_per_second(seconds=IN_PROCESS_SECONDS)
    say("unlock_vs_hordak", ours / hordak, "ratio")
    say("unlock_vs_orm", ours / by_orm, "ratio")
    progress("new prices for 30,000 titles")
    repriced = selling.repriced_titles_per_second(population)
    say("bulk_reprice_titles_per_s", repriced, "titles/s")
    progress("verifying a ledger of a million entries")
    say("verify_ledger_s", ledger.verify_seconds(population), "s")


def measure_lake(*, events: int, fewer: int) -> None:
    """Reports over a lake of so many events, the same by Polars, and over a lake of fewer."""
    from tests.benchmarks import lake

    progress("merging small files")
    say("compact_rows_per_core_s", lake.compacted_rows_per_core_s(MERGED_EVENTS), "rows/s")
    progress(f"a lake of {fewer:,} events")
    lake.seed(fewer)
    before = {name: lake.timed("ours", name).seconds for name in lake.REPORTS}
    progress(f"a lake of {events:,} events")
    say("lake_events", lake.seed(events), "events")
    peaks = []
    for name in lake.REPORTS:
        ours, peer = lake.compared(name)
        say(f"{name}_s", ours.seconds, "s")
        say(f"{name}_vs_polars", ours.seconds / peer.seconds, "ratio")
        say(f"{name}_growth", ours.seconds / before[name], "ratio")
        peaks.append((ours.peak_mb, peer.peak_mb))
    ours_mb, peer_mb = (max(column) for column in zip(*peaks, strict=True))
    say("reports_peak_mb", ours_mb, "MB")
    say("polars_peak_mb", peer_mb, "MB")


def main() -> None:
    with private_instance():
        from config import clock
        from tests.benchmarks.population import Population

        progress("seeding 50,000 wallets")
        population = Population(now=clock.read())
        with web_server() as port:
            measure_unlocks(population, port=port)
            measure_selling(population, port=port)
            measure_reads(port=port)
            measure_intake(port=port)
            measure_webhooks(population, port=port)
        measure_in_process(population)
        events, fewer = LARGE_LAKE if "--large" in sys.argv else LAKE
        measure_lake(events=events, fewer=fewer)


if __name__ == "__main__":
    main()
