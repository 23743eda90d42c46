"""The WSGI entry point that the web server loads."""

import os

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
if settings.PRODUCTION:
    # Management commands check first; a web server would start on whatever it is given.
    call_command("check")
