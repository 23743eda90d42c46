"""What stands against starting: a store that could not be believed as it is set up."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from payments.providers import registry


@register("stores")
def stores_can_be_believed(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Every configured store can be set up by its settings.

    Apple's Xcode and LocalTesting are no environments here: anybody can sign for them.
    """
    try:
        registry.adapters(settings)
    except (ValueError, TypeError, OSError) as error:
        return [
            Error(
                f"A store is set up so that it could not be believed: {error}.",
                hint="Correct its settings, or unset them to switch it off.",
                id="cliffhanger.E016",
            )
        ]
    return []
