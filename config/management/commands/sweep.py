"""Rings the doorbell of every task that looks for due work, again and again.

Tasks are rung when their cause commits, too; the sweep makes a lost message cost seconds instead of
the work. Nothing is remembered here: what is due is in the database.

While more of them wait than one sweep makes, it makes none: a worker that is behind would only fall further
behind, with a queue of rings that tell it nothing new.
"""

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from kombu.exceptions import OperationalError

from config.celery import app

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Ask for due work every SWEEP_SECONDS until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.is_set():
            self._ring()
            stopping.wait(settings.SWEEP_SECONDS)

    def _ring(self) -> None:
        if _waiting() > len(settings.SWEPT_TASKS):
            return
        for task in settings.SWEPT_TASKS:
            try:
                app.send_task(task, queue=settings.SWEPT_QUEUE, retry=False)
            except OperationalError as error:
                logger.warning("the broker does not answer, %s waits: %s", task, error)


def _waiting() -> int:
    """How many rings of sweeps no worker has taken yet; 0 if the broker does not say."""
    with app.connection_for_write() as connection:
        try:
            queue = connection.channel().queue_declare(settings.SWEPT_QUEUE)
        except connection.connection_errors as error:
            logger.warning("the broker does not answer: %s", error)
            return 0
    return int(queue.message_count)
