"""`python -m demo.smoke`: a private instance, brought up, walked through over HTTP, taken down.

Everything lies in a temporary folder and on a free port: services, database, media, logs. The
smoke test itself is a client; whatever it knows of the inside, a command of `manage.py` told it.
Exit code 0 if every step was as it must be, else 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from config import clock, embedded, keyring
from demo import catalog, journey, loop, ports, read_back, stocking
from demo.catalog import Rendered, Serial
from demo.client import ViewerClient
from demo.facts import WrongFact, fact, refused
from demo.journey import Expected, Step, Walk
from demo.loop import Bargain
from demo.pipeline import PipelineClient
from demo.processes import PROJECT, Processes, StartFailed
from demo.reports import ReportsClient, Revenue
from demo.screen import Screen
from demo.stopping import Stopped, stoppable
from demo.transport import Refused, Transport, Unreachable

HERO, SHORT, LATER = "les-vampires-1915", "fantomas-1913", "perils-of-pauline-1914"
SEARCH = Expected(
    search_text="吸血鬼",
    locale="zh",
    title="吸血鬼",
    prices_coins=(*[0] * 8, 60, 60),
)
"""The standard plan of a fresh database, on ten chapters: eight free, then sixty coins each."""

SHORT_PRICES_COINS = (0, 0, 40, 40, 100)
"""The plan of short serials, whose last chapter has a price of its own."""

PACK_CODE = "coins-500"
SHORT_REVENUE = Revenue(
    coin_unlocks=1,
    ad_unlocks=1,
    coins_spent=40,
    coin_value_micros=339_320,
    ad_revenue_micros=12_000,
    total_micros=351_320,
)
"""Of a chapter by ad and one by coins: 4.99 less 15 % is 4,241,500 micros for 500 coins, so forty of
them carry 339,320. An ad is taken to earn what the reference data says."""

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
DUE_SECONDS = 3
SWEEP_SECONDS = 1
RANKING_SECONDS = 1
PUBLISHED_WITHIN_SECONDS = 20


class CommandFailed(Exception):
    """A management command failed; the message is what it said."""


FAILURES = (
    CommandFailed,
    Refused,
    StartFailed,
    Unreachable,
    WrongFact,
    catalog.ClipRenderError,
    embedded.EmbeddedServicesError,
    ports.NoFreePort,
)


def main() -> int:
    """Run the smoke test; its exit code."""
    screen = Screen()
    started = time.monotonic()
    try:
        with stoppable(), private_folder() as data_dir:
            for step, duration_ms in journey.timed(_steps(data_dir)):
                screen.step(step.name, step.seen, duration_ms=duration_ms)
    except Stopped as stopped:
        screen.failure(f"  Stopped by {stopped}.")
        return 1
    except FAILURES as error:
        screen.failure(f"  FAILED  {error}")
        return 1
    screen.say(f"  All steps went well, in {time.monotonic() - started:.0f} s.")
    return 0


def _steps(data_dir: Path) -> Walk:
    environment = {**instance_environment(data_dir), "KEYRING": _own_ring()}
    embedded.acquire(data_dir)
    yield Step("services", "PostgreSQL and two Redis in a temporary folder")
    _manage(environment, "migrate", "--no-input")
    yield Step("migrate", "every migration applied")
    api_key = _issue_key(environment, "pipeline:write")
    reader_key = _issue_key(environment, "pipeline:read", "analytics:read")
    yield Step("API keys", "issued for the pipeline and for who reads reports")
    with Processes(data_dir, port=ports.any_free(), environment=environment) as processes:
        processes.start()
        serials = [_serial(HERO), _serial(SHORT), _first_chapters(_serial(LATER), 1)]
        rendered = catalog.render_all(serials, stocking.cache_dir(data_dir))
        yield Step("media", f"{sum(1 + len(media.clips) for media in rendered.values())} files")
        processes.wait_until_ready()
        yield Step("web server", f"ready at {processes.url}, worker and sweeper beside it")
        with Transport(processes.url) as transport:
            pipeline = PipelineClient(transport, api_key=api_key)
            yield from _push(pipeline, serials[:2], rendered)
            _manage(environment, "load_reference_data")
            yield Step("reference data", "coin packs, store terms, price plan, ad placement")
            bargain = yield from _see_the_short_plan(transport)
            yield from journey.walk(transport, SEARCH)
            now = clock.read()
            yield from loop.walk(
                lambda headers: Transport(processes.url, always=headers), bargain, now=now
            )
            reports = ReportsClient(transport, api_key=reader_key)
            yield from read_back.walk(reports, bargain, SHORT_REVENUE, now=now)
            yield from _see_it_published(transport, pipeline, serials[2], rendered[LATER])
    yield Step("stopped", "web server, worker and sweeper")


def _push(pipeline: PipelineClient, serials: list[Serial], rendered: dict[str, Rendered]) -> Walk:
    for must_be in ("created", "unchanged"):
        for pushed in stocking.push(pipeline, serials, rendered):
            fact(f"{must_be} by the push", getattr(pushed, must_be), True)
            fact("the state of what was pushed", pushed.state, "published")
    yield Step("push", f"{len(serials)} serials created, pushed again: unchanged")


def _see_the_short_plan(transport: Transport) -> Generator[Step, None, Bargain]:
    app = ViewerClient(transport)
    app.guest()
    title = _serial(SHORT).texts["en"].title
    found = app.series(text=title, locale="en")
    fact("the short serial", [series.title for series in found], [title])
    prices = tuple(episode.price_coins for episode in app.paywall(found[0].id).episodes)
    fact("prices of the short plan", prices, SHORT_PRICES_COINS)
    yield Step("price plan", f"{title}: {' '.join(str(price) for price in prices)}")
    free_count = SHORT_PRICES_COINS.count(0)
    return Bargain(
        series_id=found[0].id,
        external_id=SHORT,
        free_count=free_count,
        price_coins=SHORT_PRICES_COINS[free_count],
        pack_code=PACK_CODE,
    )


def _see_it_published(
    transport: Transport, pipeline: PipelineClient, serial: Serial, media: Rendered
) -> Walk:
    """A scheduled serial appears on its own: the sweeper rings, the worker publishes."""
    due_at = clock.read() + timedelta(seconds=DUE_SECONDS)
    pushed = stocking.push_one(
        pipeline, serial, media, state="scheduled", publish_at=due_at.isoformat()
    )
    fact("the state of what was pushed", pushed.state, "scheduled")
    app = ViewerClient(transport)
    refused(
        "before its time", lambda: app.one_series(pushed.series_id), status=404, code="not_found"
    )
    yield Step("scheduled", f"{serial.title}, due in {DUE_SECONDS} s: not there yet")
    deadline = time.monotonic() + DUE_SECONDS + PUBLISHED_WITHIN_SECONDS
    while not _is_published(app, pushed.series_id):
        if time.monotonic() > deadline:
            raise WrongFact(f"{serial.title}: not published {PUBLISHED_WITHIN_SECONDS} s after")
        time.sleep(0.1)
    fact("published no earlier than due", clock.read() >= due_at, True)
    yield Step("published", "by the worker, when its moment had come")


def _is_published(app: ViewerClient, series_id: str) -> bool:
    try:
        app.one_series(series_id)
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
        return False
    return True


def _serial(external_id: str) -> Serial:
    return next(serial for serial in catalog.load() if serial.external_id == external_id)


def _first_chapters(serial: Serial, count: int) -> Serial:
    return replace(serial, chapters=serial.chapters[:count])


@contextmanager
def private_folder() -> Iterator[Path]:
    """A data folder that is gone afterwards, with the services that ran in it."""
    folder = Path(tempfile.mkdtemp(prefix="cliffhanger-smoke-")).resolve()
    folder.chmod(0o711)  # As root, the services run as somebody else, who must pass through.
    try:
        yield folder
    finally:
        embedded.stop(folder, force=True)
        shutil.rmtree(folder)


def _own_ring() -> str:
    """A new ring of signing keys, which this process holds too: it sets the instance's clock."""
    ring = keyring.generate("smoke")
    settings.configure(KEYRING=ring)
    return ring


def instance_environment(data_dir: Path) -> dict[str, str]:
    """What our commands are told: nothing of this shell's settings, which are another instance's."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "APP_MODE": "demo",
        "DATA_DIR": str(data_dir),
        "SWEEP_SECONDS": str(SWEEP_SECONDS),
        "RANKING_SECONDS": str(RANKING_SECONDS),
        # One viewer is all there is to tell of.
        "FEEDBACK_MINIMUM_VIEWERS": "1",
        "FEEDBACK_MINIMUM_PAYERS": "1",
    }


def _issue_key(environment: dict[str, str], *scopes: str) -> str:
    asked = [part for scope in scopes for part in ("--scope", scope)]
    return _manage(environment, "issue_api_key", "smoke", *asked).strip()


def _manage(environment: dict[str, str], *arguments: str) -> str:
    """What a management command printed. Raises CommandFailed."""
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
