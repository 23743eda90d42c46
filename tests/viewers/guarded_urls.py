"""The project's URLs, and one for each kind of caller that answers whom it saw."""

from datetime import datetime
from uuid import UUID

from django.urls import include, path
from rest_framework.request import Request

from config.bodies import AnswerShape
from config.endpoints import operation
from viewers.authentication import PipelineEndpoint, ViewerEndpoint
from viewers.models import Scope

handler404 = "config.api_errors.page_not_found"
handler500 = "config.api_errors.server_error"


class SeenViewer(AnswerShape, frozen=True):
    viewer_id: UUID
    device_id: UUID
    environment: str


class SeenKey(AnswerShape, frozen=True):
    name: str


class ForViewers(ViewerEndpoint):
    @operation(summary="Whom the endpoint saw", answer=SeenViewer)
    def get(self, request: Request, *, now: datetime) -> SeenViewer:
        token = self.viewer
        return SeenViewer(
            viewer_id=token.viewer_id,
            device_id=token.device_id,
            environment=token.environment,
        )


class ForWriters(PipelineEndpoint):
    required_scope = Scope.PIPELINE_WRITE

    @operation(summary="Which key the endpoint saw", answer=SeenKey)
    def get(self, request: Request, *, now: datetime) -> SeenKey:
        return SeenKey(name=self.api_key.name)


urlpatterns = [
    path("v1/", include("viewers.urls")),
    path("v1/for-viewers", ForViewers.as_view()),
    path("v1/for-writers", ForWriters.as_view()),
]
