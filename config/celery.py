"""The Celery application. Tasks are a doorbell: they carry ids, the database holds the work."""

import os

from celery import Celery
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("cliffhanger")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A worker that loses its broker while it has a task in hand would try to put the task back, fail,
# and end itself instead of connecting again. What it had in hand is due in the database, as before.
Channel.do_restore = False
