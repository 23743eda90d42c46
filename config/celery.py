"""The Celery application. Tasks are a doorbell: they carry ids, the database holds the work."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("cliffhanger")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
