"""The viewer endpoints: parse, one domain call, render."""

from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from rest_framework.request import Request

from config.endpoints import Endpoint, operation
from viewers import privacy, profiles, refresh_tokens, registration
from viewers.authentication import NotAuthenticated, UnstoredEndpoint, ViewerEndpoint
from viewers.models import Device, Environment, Platform
from viewers.refresh_tokens import IssuedTokens, RefreshTokenInvalid, RefreshTokenReused
from viewers.shapes import (
    Bootstrap,
    GuestRegistration,
    Me,
    MeChanges,
    OwnDevice,
    TokenRefresh,
    ViewerTokens,
)
from viewers.tokens import TokenExpired, TokenInvalid


class BootstrapEndpoint(Endpoint):
    @operation(summary="What an app needs before its first call", answer=Bootstrap)
    def get(self, request: Request, *, now: datetime) -> Bootstrap:
        """The same for everyone. Times to live are how long a quote or playback URL holds."""
        return Bootstrap(
            api="v1",
            default_locale=settings.LANGUAGE_CODE,
            quote_ttl_seconds=settings.QUOTE_SECONDS,
            playback_ttl_seconds=settings.PLAYBACK_SECONDS,
        )


class RegisterGuest(UnstoredEndpoint):
    @operation(
        summary="Register a guest",
        body=GuestRegistration,
        answer=ViewerTokens,
        status=HTTPStatus.CREATED,
    )
    def post(self, request: Request, *, now: datetime, body: GuestRegistration) -> ViewerTokens:
        """Makes a new viewer each time it is called.

        Keep the refresh token safely: it alone leads back to a guest's coins.
        """
        _, _, issued = registration.register_guest(
            install_id=body.install_id,
            platform=body.platform,
            app_version=body.app_version,
            locale=body.locale,
            region=body.region,
            now=now,
        )
        return _tokens(issued)


class ExchangeRefreshToken(UnstoredEndpoint):
    @operation(
        summary="Exchange a refresh token",
        body=TokenRefresh,
        answer=ViewerTokens,
        refusals=(RefreshTokenInvalid, RefreshTokenReused),
    )
    def post(self, request: Request, *, now: datetime, body: TokenRefresh) -> ViewerTokens:
        """Uses up the refresh token and answers with new tokens.

        If the reply is lost, ask again at once with the same token. Presented later, a used token
        revokes every token that followed from it.
        """
        return _tokens(refresh_tokens.rotate(refresh_token=body.refresh_token, now=now))


class MeEndpoint(ViewerEndpoint):
    @operation(
        summary="The viewer who asks",
        answer=Me,
        refusals=(NotAuthenticated, TokenInvalid, TokenExpired),
    )
    def get(self, request: Request, *, now: datetime) -> Me:
        """The viewer and the device that the access token was issued to."""
        return _me(profiles.device_of(self.viewer))

    @operation(
        summary="Say what others may know",
        body=MeChanges,
        answer=Me,
        refusals=(NotAuthenticated, TokenInvalid, TokenExpired),
    )
    def patch(self, request: Request, *, now: datetime, body: MeChanges) -> Me:
        """Of the viewer who asks, on all of their devices."""
        device = profiles.device_of(self.viewer)
        privacy.say(device.viewer, shares_consumption=body.shares_consumption)
        return _me(device)


def _me(device: Device) -> Me:
    viewer = device.viewer
    return Me(
        viewer_id=viewer.id,
        environment=Environment(viewer.environment),
        locale=viewer.locale,
        region=viewer.region,
        shares_consumption=viewer.shares_consumption,
        created_at=viewer.created_at,
        device=OwnDevice(
            device_id=device.id,
            platform=Platform(device.platform),
            app_version=device.app_version,
            created_at=device.created_at,
        ),
    )


def _tokens(issued: IssuedTokens) -> ViewerTokens:
    return ViewerTokens(
        viewer_id=issued.viewer_id,
        device_id=issued.device_id,
        environment=issued.environment,
        access_token=issued.access_token,
        access_token_expires_at=issued.access_token_expires_at,
        refresh_token=issued.refresh_token,
        refresh_token_expires_at=issued.refresh_token_expires_at,
    )
