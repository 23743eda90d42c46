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

CLIENTS = 16
SECONDS = 10.0
IN_PROCESS_SECONDS = 5.0
SHARE_OF_MAXIMUM = 0.7
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
        DJANGO_SETTINGS_MODULE="config.settings",
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


def pgbench(script: str) -> float:
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
                f"--client={CLIENTS}",
                "--jobs=2",
                f"--time={SECONDS:.0f}",
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


def main() -> None:
    with private_instance():
        from config import clock
        from tests.benchmarks import events, in_process, ledger, load, ssv
        from tests.benchmarks.population import EPISODES, FIRST_LOCKED, VIEWERS, Population

        progress("seeding 50,000 wallets")
        population = Population(now=clock.read())
        locked = EPISODES - FIRST_LOCKED + 1

        def unlocks(client: int) -> Iterator[bytes]:
            """Each client has viewers of its own, so that no episode is asked for twice."""
            mine = range(client + 1, VIEWERS + 1, CLIENTS)
            ready = [
                population.unlock_request(viewer=viewer, episode=FIRST_LOCKED + turn % locked)
                for turn, viewer in enumerate(mine)
            ]
            return iter(ready)

        def reads(path: str) -> load.Requests:
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            return lambda client: repeat(request)

        with web_server() as port:
            prepared = [list(unlocks(client)) for client in range(CLIENTS)]
            progress("unlocks over HTTP")
            http = load.run(
                port=port,
                requests=lambda client: iter(prepared[client]),
                clients=CLIENTS,
                seconds=SECONDS,
            ).only(200)
            rate = http.per_second * SHARE_OF_MAXIMUM
            progress(f"unlocks that arrive at {rate:.0f} a second")
            # Turned around, the clients' requests are those that the first run has not come to.
            coming = [each for turn in zip(*map(reversed, prepared), strict=False) for each in turn]
            latencies = load.at_rate(
                port=port, requests=coming[: round(rate * SECONDS)], per_second=rate
            )
            progress("unlocks in pgbench")
            tps = pgbench(population.pgbench_script())
            progress("an empty view, and the public catalog")
            empty = load.run(
                port=port, requests=reads("/livez"), clients=CLIENTS, seconds=SECONDS
            ).only(200)
            catalog = load.run(
                port=port, requests=reads("/v1/series?limit=20"), clients=CLIENTS, seconds=SECONDS
            ).only(200)
            progress("events over HTTP, and from the inbox into the lake")
            reported = events.http_events_per_second(port=port, clients=CLIENTS, seconds=SECONDS)
            flushed = events.flush_events_per_second()
            progress("rewarded ads")
            ads = ssv.callbacks_per_second(port=port, clients=CLIENTS, seconds=SECONDS)
            progress("unlocks in this process, by us, by ORM code and with django-hordak")
            ours = in_process.unlocks_per_second(population, seconds=IN_PROCESS_SECONDS)
            by_orm = in_process.orm_unlocks_per_second(population, seconds=IN_PROCESS_SECONDS)
            hordak = in_process.hordak_transfers_per_second(seconds=IN_PROCESS_SECONDS)
        progress("verifying a ledger of a million entries")
        verified = ledger.verify_seconds(population)
        say("unlock_http_rps", http.per_second, "requests/s")
        say("unlock_pgbench_tps", tps, "transactions/s")
        say("unlock_http_vs_pgbench", http.per_second / tps, "ratio")
        say("unlock_p50_ms", latencies.percentile_ms(0.5), "ms")
        say("unlock_p99_ms", latencies.percentile_ms(0.99), "ms")
        say("unlock_vs_hordak", ours / hordak, "ratio")
        say("unlock_vs_orm", ours / by_orm, "ratio")
        say("verify_ledger_s", verified, "s")
        say("catalog_rps", catalog.per_second, "requests/s")
        say("empty_view_rps", empty.per_second, "requests/s")
        say("catalog_vs_empty_view", catalog.per_second / empty.per_second, "ratio")
        say("events_http_per_s", reported, "events/s")
        say("flush_events_per_s", flushed, "events/s")
        say("ssv_callbacks_per_s", ads, "callbacks/s")


if __name__ == "__main__":
    main()
