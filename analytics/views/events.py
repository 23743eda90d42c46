"""Where apps report what happened."""

from datetime import datetime

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from analytics.intake import inbox
from analytics.intake.batches import BATCH_BYTES, BatchRequest
from analytics.intake.inbox import BatchIdReused, CatalogueUnknown
from analytics.intake.shapes import BatchAnswer
from analytics.intake.verdicts import Verdict
from analytics.views.admission import EventsBusy, InboxFull, gate
from config import bodies, encodings
from config.endpoints import operation
from viewers.authentication import ViewerEndpoint


class Events(ViewerEndpoint):
    # The body is the inbox's to read, event by event; its shape is documented all the same.
    @extend_schema(request={"application/json": BatchRequest})
    @operation(
        summary="Report events",
        answer=BatchAnswer,
        refusals=[BatchIdReused, CatalogueUnknown, EventsBusy, InboxFull],
    )
    def post(self, request: Request, *, now: datetime) -> BatchAnswer:
        """Up to 500 events and 256 KB in one batch, which is stored when this answers. The body may come
        with `Content-Encoding: gzip` or `zstd`; the 256 KB bound what it unpacks to as well.

        Each event is judged by itself; docs/events.md has the types, their members and the codes.
        Send the same batch again until it is answered, with `sent_at` read anew: it counts once, and
        is answered the same. Another app or other events under its `batch_id` are refused.
        """
        body = bodies.raw(self.http_request(), limit_bytes=BATCH_BYTES)
        if body:
            bodies.check_media_type(self.http_request(), {bodies.JSON})
        # After the body was read: a slow sender keeps nobody out.
        with gate.passed(now=now):
            received = inbox.receive(
                viewer_id=self.viewer.viewer_id,
                environment=self.viewer.environment,
                body=encodings.decoded(
                    body, request.headers.get("Content-Encoding", ""), limit_bytes=BATCH_BYTES
                ),
                now=now,
            )
        accepted = sum(verdict.verdict is Verdict.ACCEPTED for verdict in received.verdicts)
        return BatchAnswer(
            batch_id=received.batch_id,
            accepted=accepted,
            quarantined=len(received.verdicts) - accepted,
            verdicts=list(received.verdicts),
        )
