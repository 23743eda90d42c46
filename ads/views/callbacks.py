"""Server-side verification: the ad networks' callbacks."""

from datetime import datetime

from kombu.exceptions import OperationalError
from rest_framework.request import Request

from ads import callbacks, tasks
from ads.adapters import NetworkUnknown
from ads.shapes import CallbackAnswer
from config.endpoints import operation
from viewers.authentication import UnstoredEndpoint


class SettleCallback(UnstoredEndpoint):
    @operation(
        summary="An ad network reports a watched ad",
        answer=CallbackAnswer,
        any_query=True,
        refusals=[
            NetworkUnknown,
            callbacks.CallbackMalformed,
            callbacks.CallbackForged,
            callbacks.VerifierKeyUnknown,
        ],
    )
    def get(self, request: Request, *, now: datetime, network: str) -> CallbackAnswer:
        """The network's own signed query string. What is genuine is answered 200 whether it paid
        or not, since sending it again would change nothing; 503 asks for it again."""
        query_string = str(self.http_request().META.get("QUERY_STRING", ""))
        try:
            settled = callbacks.settle(network=network, query_string=query_string, now=now)
        except callbacks.VerifierKeyUnknown as unknown:
            if unknown.is_first:
                _ring()
            raise
        return CallbackAnswer(verdict=settled.verdict)


def _ring() -> None:
    """The network comes again within seconds; without the queue the sweep fetches a little later."""
    try:
        tasks.refresh_verifier_keys.apply_async(retry=False, expires=60)
    except OperationalError:
        return
