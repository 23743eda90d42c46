"""The rows behind a verified access token."""

from viewers.models import Device
from viewers.tokens import AccessToken, TokenInvalid


def device_of(token: AccessToken) -> Device:
    """The token's device with its viewer, in one query. Raises TokenInvalid if they are gone."""
    device = (
        Device.objects.select_related("viewer")
        .filter(id=token.device_id, viewer_id=token.viewer_id, viewer__erased_at=None)
        .first()
    )
    if device is None:
        raise TokenInvalid("The viewer it was issued to is gone.")
    return device
