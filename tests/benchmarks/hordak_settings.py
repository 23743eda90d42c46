"""Our settings with django-hordak installed, on a database of its own: only the benchmark runs them."""

from config.settings import *  # noqa: F403
from config.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "mptt", "hordak"]
DATABASES["default"] |= {"NAME": "hordak"}
DATABASES["default"]["OPTIONS"] |= {"assume_role": None}  # type: ignore[operator]
