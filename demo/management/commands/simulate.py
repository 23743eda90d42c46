"""`manage.py simulate`: viewers for a running demo, who have been there for days."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import clock
from demo import ad_reports, catalog, simulation
from demo.facts import WrongFact
from demo.screen import Screen
from demo.simulation import ClockNotHonoured, NothingToWatch, Plan
from demo.stopping import Stopped, stoppable
from demo.stores import addresses
from demo.stores.buying import Stores, are_open
from demo.transport import Refused, Unreachable

DEFAULT_URL = "http://127.0.0.1:8000"


class Command(BaseCommand):
    help = (
        "Send seeded viewers through a running instance over simulated days. Run it beside the "
        "instance: it signs the X-Clock header with the instance's own key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=DEFAULT_URL, help="where the instance is")
        parser.add_argument("--viewers", type=int, default=Plan.viewers)
        parser.add_argument("--days", type=int, default=Plan.days)
        parser.add_argument("--seed", type=int, default=Plan.seed)
        parser.add_argument("--threads", type=int, default=Plan.threads)
        parser.add_argument("--until", type=_moment, help="RFC 3339; now unless given")
        parser.add_argument("--again", action="store_true", help="even if the seed was run before")

    def handle(self, *args: Any, **options: Any) -> None:
        if simulation.was_begun(seed=options["seed"]) and not options["again"]:
            raise CommandError(
                f"The viewers of seed {options['seed']} have been here. Another --seed brings "
                "others, --again brings as many of the same kind."
            )
        plan = Plan(
            viewers=options["viewers"],
            days=options["days"],
            seed=options["seed"],
            threads=options["threads"],
            until=options["until"] or clock.read(),
        )
        screen = Screen()
        try:
            with (
                stoppable(),
                screen.progress("simulated visits") as on_progress,
                _stores(options["url"]) as stores,
                simulation.stillness_kept(),
            ):
                summary = simulation.run(
                    connect=simulation.over_http(options["url"]),
                    serials=catalog.load(),
                    plan=plan,
                    stores=stores,
                    on_progress=on_progress,
                )
            ad_reports.bring(summary.ad_report, now=clock.read())
        except Stopped as stopped:
            screen.say("Stopped; what the viewers did until now is kept.")
            raise SystemExit(stopped.exit_code) from None
        except (ClockNotHonoured, NothingToWatch, Refused, Unreachable, WrongFact) as error:
            raise CommandError(_explained(error, options["url"]), returncode=2) from error
        screen.table(list(summary.rows().items()))


@contextmanager
def _stores(url: str) -> Iterator[Stores | None]:
    """The stores of the demo that is at the address; None where it has none, and all buy in the fake store."""
    at = addresses.read(settings.DATA_DIR)
    if at is None or at.backend != url.rstrip("/") or not are_open(at):
        yield None
        return
    with closing(Stores(at)) as stores:
        yield stores


def _explained(error: Exception, url: str) -> str:
    if isinstance(error, ClockNotHonoured):
        return f"{url} does not honour the simulated clock; SIMULATED_CLOCK is off there."
    if isinstance(error, Refused) and error.code == "clock_refused":
        return f"{url} refuses the simulated clock: it has another KEYRING than this command."
    return f"The simulation cannot go on. {error}"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no moment like 2026-03-14T12:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
