"""What the viewer endpoints take and answer."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.conf import settings
from msgspec import Meta

from config.bodies import AnswerShape, RequestShape
from viewers.models import Environment, Platform

# Python's `$` also matches before a final newline; the lookahead closes that door, and is empty
# words in the dialect that readers of the API description speak.
Locale = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=35,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$(?!\n)",
        description="A BCP 47 language tag, as in `zh-Hant` or `pt-BR`.",
    ),
]
Region = Annotated[
    str,
    Meta(
        max_length=2,
        pattern=r"^([A-Z]{2})?$(?!\n)",
        description="ISO 3166-1 alpha-2 in capitals, or empty.",
    ),
]
Moment = Annotated[datetime, Meta(tz=True)]
AppVersion = Annotated[str, Meta(max_length=40, pattern=r"^[0-9A-Za-z.+_ ()-]*$(?!\n)")]


class GuestRegistration(RequestShape):
    install_id: UUID
    platform: Platform
    app_version: AppVersion = ""
    locale: Locale = settings.LANGUAGE_CODE
    region: Region = ""


class TokenRefresh(RequestShape):
    refresh_token: Annotated[str, Meta(max_length=200)]


class ViewerTokens(AnswerShape):
    viewer_id: UUID
    device_id: UUID
    environment: Environment
    access_token: str
    access_token_expires_at: Moment
    refresh_token: str
    refresh_token_expires_at: Moment


class OwnDevice(AnswerShape):
    device_id: UUID
    platform: Platform
    app_version: str
    created_at: Moment


class MeChanges(RequestShape):
    """`shares_consumption` is whether a store may hear how much of a purchase was used, when it is asked to give
    the money back. Without the viewer's word it hears nothing."""

    shares_consumption: bool


class Me(AnswerShape):
    viewer_id: UUID
    environment: Environment
    locale: str
    region: str
    shares_consumption: bool
    created_at: Moment
    device: OwnDevice


class Bootstrap(AnswerShape):
    api: Literal["v1"]
    default_locale: str
    quote_ttl_seconds: int
    playback_ttl_seconds: int
