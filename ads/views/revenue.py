"""What single ads earned: told of by apps, and by networks' servers."""

from datetime import datetime

from rest_framework.request import Request

from ads import callbacks, rendering
from ads.adapters import NetworkUnknown
from ads.revenue import impressions, postbacks
from ads.revenue.impressions import TooManyImpressions
from ads.shapes import (
    ImpressionAnswer,
    ImpressionsAnswer,
    ImpressionsRequest,
    PostbackAnswer,
)
from config.endpoints import operation
from viewers.authentication import UnstoredEndpoint, ViewerEndpoint

IMPRESSIONS_BODY_BYTES = 64 * 1024


class ReportImpressions(ViewerEndpoint):
    @operation(
        summary="Report what ads that were shown earned",
        body=ImpressionsRequest,
        answer=ImpressionsAnswer,
        refusals=[TooManyImpressions],
        limit_bytes=IMPRESSIONS_BODY_BYTES,
    )
    def post(
        self, request: Request, *, now: datetime, body: ImpressionsRequest
    ) -> ImpressionsAnswer:
        """Up to 100 impressions of the last three days, each judged by itself. They are estimates for
        reports and open nothing. Send the same until it is answered: an id counts once."""
        verdicts = impressions.receive(
            [rendering.told(one) for one in body.impressions],
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            now=now,
        )
        return ImpressionsAnswer(
            verdicts=[
                ImpressionAnswer(impression_id=one.impression_id, verdict=verdict)
                for one, verdict in zip(body.impressions, verdicts, strict=True)
            ]
        )


class ReceiveImpressionPostback(UnstoredEndpoint):
    @operation(
        summary="An ad network reports what an ad earned",
        answer=PostbackAnswer,
        any_query=True,
        refusals=[NetworkUnknown, callbacks.CallbackMalformed, callbacks.CallbackForged],
    )
    def get(self, request: Request, *, now: datetime, network: str, secret: str) -> PostbackAnswer:
        """The network's own query string. What is genuine is answered 200 whatever came of it, since
        sending it again would change nothing."""
        query_string = str(self.http_request().META.get("QUERY_STRING", ""))
        return PostbackAnswer(
            verdict=postbacks.receive(
                network=network, address_secret=secret, query_string=query_string, now=now
            )
        )
