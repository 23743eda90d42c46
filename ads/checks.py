"""What is wrong with the settings of ad networks, said before anybody is served."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from ads import adapters
from ads.revenue import days
from config.keyring import BadKeyring


@register(Tags.security)
def networks_can_be_believed(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Whether every network's adapter can be built from the settings."""
    try:
        adapters.built()
    except BadKeyring:
        return []  # E002 says so
    except ValueError as error:
        return [
            Error(
                f"The settings of an ad network cannot be used: {error}.",
                hint="See docs/ads/README.md for what each network needs.",
                id="cliffhanger.E015",
            )
        ]
    return []


@register(Tags.security)
def days_of_reports_are_known(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Whether every zone of AD_REPORT_ZONES is one, of a network that there is."""
    try:
        days.zones()
    except ValueError as error:
        return [
            Error(
                f"AD_REPORT_ZONES cannot be used: {error}.",
                hint="Write it as admob:America/Los_Angeles, comma separated.",
                id="cliffhanger.E026",
            )
        ]
    return []
