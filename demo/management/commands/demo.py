"""`manage.py demo`: from a fresh clone to a running, stocked system."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo.catalog import ClipRenderError
from demo.ports import NoFreePort
from demo.processes import AlreadyRunning, Processes, StartFailed
from demo.screen import Screen
from demo.show import MigrationFailed, Show
from demo.stopping import Stopped, stoppable
from demo.transport import Refused, Unreachable

DEFAULT_PORT = 8000
FAILURES = (
    AlreadyRunning,
    ClipRenderError,
    MigrationFailed,
    NoFreePort,
    Refused,
    StartFailed,
    Unreachable,
)


class Command(BaseCommand):
    help = "Set up, start and stock the whole system, and walk one viewer through it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the next if taken")
        parser.add_argument("--no-journey", action="store_true", help="without the viewer")
        parser.add_argument(
            "--exit-after-journey", action="store_true", help="stop everything and exit; for tests"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        screen = Screen()
        is_running = False
        try:
            with stoppable(), self._processes(options["port"]) as processes:
                if processes.port != options["port"]:
                    screen.say(f"Port {options['port']} is taken; this is {processes.port}.")
                went_well = Show(processes, screen).run(has_journey=not options["no_journey"])
                is_running = True
                if not options["exit_after_journey"]:
                    processes.wait()
                    raise StartFailed(processes.last_words())
        except Stopped as stopped:
            screen.say("Stopped; the data is kept.")
            raise SystemExit(0 if is_running else stopped.exit_code) from None
        except FAILURES as error:
            raise CommandError(f"The demo cannot go on.\n{error}", returncode=2) from error
        if not went_well:
            raise SystemExit(1)

    def _processes(self, port: int) -> Processes:
        return Processes(settings.DATA_DIR, port=port, environment=dict(os.environ))
