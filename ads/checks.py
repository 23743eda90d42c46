"""What is wrong with the settings of ad networks, said before anybody is served."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from ads import adapters
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
