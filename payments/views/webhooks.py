"""Stores' notifications: verified over the bytes that came, kept, and answered; applied later."""

from datetime import datetime

from django.http import HttpResponse
from kombu.exceptions import OperationalError
from rest_framework.request import Request

from config import bodies
from config.endpoints import operation
from payments import tasks
from payments.messages import inbox
from payments.models import Arrival, MessageState
from payments.providers.base import RawMessage
from payments.store.purchases import ProviderUnknown
from viewers.authentication import UnstoredEndpoint

MAXIMUM_BODY_BYTES = 1024 * 1024
#: What signatures are in: nothing else of a request is looked at.
KEPT_HEADERS = ("authorization", "stripe-signature", "content-type")


class Webhook(UnstoredEndpoint):
    @operation(
        summary="A store's notification",
        answer=None,
        status=204,
        any_query=True,
        raw_body_types=["application/json"],
        refusals=[
            ProviderUnknown,
            inbox.MessageMalformed,
            inbox.MessageForged,
            inbox.MessageForeign,
            inbox.SignaturesUnavailable,
        ],
    )
    def post(self, request: Request, *, now: datetime, provider: str) -> HttpResponse:
        """Verified over its raw bytes and kept before it is answered: what is answered 204 takes effect, whatever
        happens here. The same again is answered the same."""
        http = self.http_request()
        raw = RawMessage(
            headers={
                name.lower(): value
                for name, value in http.headers.items()
                if name.lower() in KEPT_HEADERS
            },
            body=bodies.raw(http, limit_bytes=MAXIMUM_BODY_BYTES),
        )
        kept = inbox.receive(provider=provider, raw=raw, arrived_by=Arrival.PUSHED, now=now)
        if kept.is_new and kept.message.state == MessageState.WAITING:
            _ring(str(kept.message.id))
        return HttpResponse(status=204)


def _ring(message_id: str) -> None:
    """Without the queue the sweep finds it a little later."""
    try:
        tasks.settle_message.apply_async(args=[message_id], retry=False, expires=60)
    except OperationalError:
        return
