"""Server-side verification: the ad networks' callbacks."""

import logging
from datetime import datetime

from django.http import HttpResponse
from kombu.exceptions import OperationalError
from rest_framework.request import Request

from ads import callbacks, tasks
from ads.adapters import NetworkUnknown
from ads.shapes import CallbackAnswer
from config.endpoints import operation
from viewers.authentication import UnstoredEndpoint

logger = logging.getLogger(__name__)


class SettleCallback(UnstoredEndpoint):
    @operation(
        summary="An ad network reports a watched ad",
        answer=CallbackAnswer,
        any_query=True,
        also_as=["text/plain"],
        refusals=[
            NetworkUnknown,
            callbacks.CallbackMalformed,
            callbacks.CallbackForged,
            callbacks.CallbackImplausible,
            callbacks.VerifierKeyUnknown,
            callbacks.VerifierKeysUnavailable,
        ],
    )
    def get(
        self, request: Request, *, now: datetime, network: str, secret: str = ""
    ) -> HttpResponse:
        """The network's own signed query string, and the answer that it waits for. What is genuine is
        answered 200 whether it paid or not, since sending it again would change nothing, but to Unity
        Ads, which wants a 400 and a text for what paid nothing; `Retry-After` asks for it again."""
        query_string = str(self.http_request().META.get("QUERY_STRING", ""))
        try:
            reply = callbacks.answer(
                network=network, query_string=query_string, address_secret=secret, now=now
            )
        except callbacks.VerifierKeyUnknown as unknown:
            if unknown.is_first:
                _ring()
            raise
        return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)


class SettleCallbackAtSecretAddress(SettleCallback):
    """The same, at an address that only its network knows."""


def _ring() -> None:
    """The network comes again within seconds; without the queue the sweep fetches a little later."""
    try:
        tasks.refresh_verifier_keys.apply_async(retry=False, expires=60)
    except OperationalError as error:
        logger.warning("the keys are fetched by the next sweep: %s", error)
