"""What the server decides to show, and by which link a viewer came."""

from datetime import datetime

from rest_framework.request import Request

from config.endpoints import operation
from config.problems import NotFound
from payments.access import placements
from payments.desk import links
from payments.shapes import ArrivalAnswer, ArrivalRequest, PlacementConfigAnswer
from viewers.authentication import ViewerEndpoint


class MyArrival(ViewerEndpoint):
    @operation(
        summary="Say by which link the app was opened",
        body=ArrivalRequest,
        answer=ArrivalAnswer,
        refusals=[links.LinkUnknown],
    )
    def post(self, request: Request, *, now: datetime, body: ArrivalRequest) -> ArrivalAnswer:
        """Do it before the title's paywall is shown. The latest link to a title counts; the same again
        within an hour changes nothing."""
        link = links.arrive(viewer_id=self.viewer.viewer_id, code=body.code, now=now)
        return ArrivalAnswer(series_id=link.series_id, ends_at=link.ends_at)


class PlacementConfig(ViewerEndpoint):
    @operation(
        summary="What to show at a place in the app",
        answer=PlacementConfigAnswer,
        refusals=[NotFound],
    )
    def get(self, request: Request, *, now: datetime, code: str) -> PlacementConfigAnswer:
        """Decided by how the viewer stands to paying, their region, platform and the links they came by.
        Ask each time the place is shown."""
        decided = placements.decide(
            code=code,
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            now=now,
        )
        return PlacementConfigAnswer(
            code=decided.placement.code,
            segment=decided.segment,
            rule_id=decided.rule.id if decided.rule else None,
            config=dict(decided.config),
        )
