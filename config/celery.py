"""The Celery application. Tasks are a doorbell: they carry ids, the database holds the work."""

import os

from celery import Celery
from kombu.transport.redis import Channel, QoS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("cliffhanger")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A worker that loses its broker while it has a task in hand would try to put the task back, fail,
# and end itself instead of connecting again. What it had in hand is due in the database, as before.
Channel.do_restore = False


class DoorbellQoS(QoS):
    """Acknowledges nothing to a channel that is closed.

    A task that was in hand when the broker died ends after the worker has connected again. What it
    would acknowledge went with the old connection; to try is an error that a worker does not survive.
    """

    def ack(self, delivery_tag: str) -> None:
        if self.channel.connection is not None:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if self.channel.connection is not None:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]


Channel.QoS = DoorbellQoS
