"""`make demo` from first to last: an empty folder becomes a stocked, running, proven system."""

import os
import shlex
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from analytics.lake import reading
from catalog.models import Series
from config import clock
from demo import ad_reports, catalog, credentials, journey, reference_data, simulation, stocking
from demo.answers import SeriesPushed
from demo.catalog import Serial
from demo.client import ViewerClient
from demo.credentials import Owner
from demo.facts import WrongFact
from demo.journey import Expected
from demo.pipeline import PipelineClient
from demo.processes import PROJECT, Beside, Processes
from demo.screen import Screen
from demo.simulation import ClockNotHonoured, Plan
from demo.stores import buying, opening
from demo.stores.addresses import Addresses
from demo.stores.buying import Stores
from demo.stores.opening import Opened
from demo.transport import Refused, Transport, Unreachable
from payments.prices import pricing

HERO = "les-vampires-1915"
"""The serial that the viewer of the journey searches for, in Chinese."""
HERO_LOCALE = "zh"
LAKE_SECONDS = 60
"""How long the worker may take to move what the simulated viewers reported into the lake."""

_POLL_SECONDS = 0.5


class Show:
    """One run of the demo. Raises what `Processes`, `Transport` and the renderer raise."""

    def __init__(self, processes: Processes, screen: Screen) -> None:
        self._processes = processes
        self._screen = screen
        self._secrets = settings.DATA_DIR / "secrets"

    def run(self, *, has_journey: bool) -> bool:
        """Bring everything up and say where it is; whether the journey went well, if there was one.

        The processes run on until the caller ends them.
        """
        self._screen.heading("Setting up")
        self._migrate()
        started = time.monotonic()
        stores = opening.prepare(settings.DATA_DIR, backend=self._processes.url)
        # A worker that asks stores before they serve would tell operators that they are out of reach.
        with simulation.stillness_kept():
            # They take their time to start, in which the rest is prepared.
            self._processes.start(_beside(stores))
            now = clock.read()
            reference_data.load(now=now)
            api_key = credentials.pipeline_key(self._secrets, now=now)
            owner = credentials.owner(self._secrets)
            reference_data.load_offer_policy(operator_id=owner.user_id, now=now)
            self._done("coin packs, store terms, price plans, offers, API key, owner", started)
            self._processes.wait_until_ready()
            buying.wait_until_open(stores.addresses)
        self._done("web server, worker, sweeper and stores run", started)
        serials = catalog.load()
        with Transport(self._processes.url) as transport:
            self._stock(PipelineClient(transport, api_key=api_key), serials)
            went_well = not has_journey or (
                self._walk(transport, _expected(serials))
                and self._simulate(serials, stores.addresses)
            )
            shown = ViewerClient(transport).series()
        self._close(
            owner,
            stores.addresses,
            next((series.poster_url for series in shown if series.poster_url), ""),
        )
        return went_well

    def _migrate(self) -> None:
        if not _lacks_migrations():
            return
        started = time.monotonic()
        # As another process: it alone may be the owner of the schema.
        migrated = subprocess.run(  # noqa: S603  our own command
            [sys.executable, str(PROJECT / "manage.py"), "migrate", "--no-input"],
            capture_output=True,
            text=True,
            check=False,
        )
        if migrated.returncode != 0:
            raise MigrationFailed(migrated.stdout + migrated.stderr)
        self._done("database migrated", started)

    def _stock(self, pipeline: PipelineClient, serials: list[Serial]) -> None:
        started = time.monotonic()
        cache = stocking.cache_dir(settings.DATA_DIR)
        with self._screen.progress("Rendering posters and clips") as progress:
            rendered = catalog.render_all(serials, cache, progress)
        count = sum(1 + len(media.clips) for media in rendered.values())
        self._done(f"{count} posters and clips rendered", started)

        started = time.monotonic()
        pushed: list[SeriesPushed] = []
        with self._screen.progress("Pushing serials") as progress:

            def on_pushed(answer: SeriesPushed) -> None:
                pushed.append(answer)
                progress(len(pushed), len(serials))

            stocking.push(pipeline, serials, rendered, on_pushed=on_pushed)
        reference_data.load(now=clock.read())
        unchanged = sum(answer.unchanged for answer in pushed)
        self._done(f"{len(pushed)} serials pushed, {unchanged} of them unchanged", started)

    def _walk(self, transport: Transport, expected: Expected) -> bool:
        """Show a viewer's journey; False, with the reason printed, if a step was not as it must."""
        self._screen.heading("A viewer's journey, over HTTP")
        try:
            for step, duration_ms in journey.timed(journey.walk(transport, expected)):
                self._screen.step(step.name, step.seen, duration_ms=duration_ms)
        except (WrongFact, Refused, Unreachable) as error:
            self._screen.failure(f"  The journey ended early: {error}")
            return False
        return True

    def _simulate(self, serials: list[Serial], at: Addresses) -> bool:
        """Give every page something true to show; False, with the reason printed, if it broke off."""
        plan = Plan(until=clock.read())
        if simulation.was_begun(seed=plan.seed):
            return True
        self._screen.heading(f"{plan.viewers} simulated viewers over {plan.days} days")
        try:
            with (
                self._screen.progress("Visits") as progress,
                closing(Stores(at)) as stores,
                simulation.stillness_kept(),
            ):
                summary = simulation.run(
                    connect=simulation.over_http(self._processes.url),
                    serials=serials,
                    plan=plan,
                    stores=stores,
                    on_progress=progress,
                )
            ad_reports.bring(summary.ad_report, now=clock.read())
        except (ClockNotHonoured, WrongFact, Refused, Unreachable) as error:
            self._screen.failure(f"  The simulation ended early: {error}")
            return False
        self._screen.table(list(summary.rows().items()))
        return self._wait_for_the_lake()

    def _wait_for_the_lake(self) -> bool:
        started = time.monotonic()
        while reading.watermark(now=(now := clock.read())) < now:
            if time.monotonic() - started > LAKE_SECONDS:
                self._screen.failure("  Some events still wait in the inbox.")
                return False
            time.sleep(_POLL_SECONDS)
        self._done("all events in the lake", started)
        return True

    def _close(self, owner: Owner, stores: Addresses, poster: str) -> None:
        url = self._processes.url
        password = owner.password or "(changed since)"
        self._screen.heading(f"Cliffhanger runs at {url}")
        self._screen.table(
            [
                ("API", f"{url}/docs"),
                ("admin", f"{url}/admin/  as {owner.username}, password {password}"),
                ("code", manage(f"operator_code {owner.username}")),
                ("phone", f"{stores.url('phone')}/  buys by App Store, Google Play, Stripe"),
                ("poster", f"{url}{poster}" if poster.startswith("/") else poster),
                ("search", f"curl '{url}/v1/series?q=vampiros&locale=es'"),
                ("logs", f"{_shown(settings.DATA_DIR)}/logs/"),
                ("stop", "Ctrl-C"),
            ]
        )

    def _done(self, what: str, started: float) -> None:
        self._screen.say(f"  {what}  ({time.monotonic() - started:.1f} s)")


def _beside(stores: Opened) -> Beside:
    """The stores' own processes, and an instance that sells there. They are given the key of the simulated clock."""
    command = f"python -m demo.stores --data-dir {shlex.quote(str(settings.DATA_DIR))}"
    return Beside(
        programs={"stores": command},
        environment={**stores.environment, "KEYRING": settings.KEYRING},
    )


class MigrationFailed(Exception):
    """`migrate` failed; the message is what it said."""


def _lacks_migrations() -> bool:
    """Whether the database is not what this code needs."""
    # Asked as the owner: a fresh database lacks even the role that we assume.
    with psycopg.connect(settings.DATABASE_URL) as owned:
        row = owned.execute("SELECT to_regclass('django_migrations')").fetchone()
    if row is None or row[0] is None:
        return True
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def manage(command: str) -> str:
    """The shell command that runs a management command on this instance."""
    given = [
        f"{name}={shlex.quote(os.environ[name])}"
        for name in ("APP_MODE", "DATA_DIR")
        if name in os.environ
    ]
    python = _shown(Path(sys.executable))
    return " ".join((*given, shlex.quote(python), "manage.py", command))


def _shown(path: Path) -> str:
    """A path as one would type it in the project's folder."""
    absolute = Path(os.path.abspath(path))
    return str(absolute.relative_to(PROJECT) if absolute.is_relative_to(PROJECT) else absolute)


def _expected(serials: list[Serial]) -> Expected:
    """What the journey must find. Prices are those in force: an operator may have changed them."""
    hero = next(serial for serial in serials if serial.external_id == HERO)
    series = Series.objects.get(external_id=HERO)
    ladder = pricing.ladder(pricing.version_in_force(series_id=series.id, at=clock.read()).id)
    title = hero.texts[HERO_LOCALE].title
    return Expected(
        search_text=title,
        locale=HERO_LOCALE,
        title=title,
        prices_coins=tuple(ladder.price_of(chapter.number) for chapter in hero.chapters),
    )
