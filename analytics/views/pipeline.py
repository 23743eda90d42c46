"""What the generation pipeline reads back: the ranking of titles, and how its beats did."""

import hashlib
from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

from analytics.ranking import feedback, snapshots
from analytics.ranking.feedback import BeatsFeedback
from analytics.ranking.questions import RankingsQuery
from analytics.ranking.ranking import Ranking
from analytics.ranking.snapshots import RankingUnavailable
from analytics.reports import beats, cuts, sources
from catalog.pushes import ExternalId
from config import bodies
from config.endpoints import operation, path_parameter
from config.problems import NotFound
from viewers.authentication import PipelineEndpoint
from viewers.models import Scope

#: For the caller to keep, and to ask each time whether it still stands.
REVALIDATED = "private, no-cache"


class RankingsEndpoint(PipelineEndpoint):
    required_scope = Scope.PIPELINE_READ

    @operation(
        summary="Which titles are worth most",
        query=RankingsQuery,
        answer=Ranking,
        refusals=(RankingUnavailable,),
    )
    def get(self, request: Request, *, now: datetime, query: RankingsQuery) -> HttpResponse:
        """The last ranking that was published, byte for byte. Its `ETag` names those bytes."""
        body = bytes(snapshots.latest(query.horizon).body)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        known = parse_etags(request.headers.get("If-None-Match", ""))
        headers = {"ETag": etag, "Cache-Control": REVALIDATED}
        if "*" in known or etag in {tag.removeprefix("W/") for tag in known}:
            return HttpResponse(status=304, headers=headers)
        return HttpResponse(body, content_type="application/json", headers=headers)


class SeriesBeatsEndpoint(PipelineEndpoint):
    required_scope = Scope.PIPELINE_READ

    @operation(
        summary="How beats did",
        answer=BeatsFeedback,
        refusals=(NotFound,),
        parameters=[path_parameter("external_id", ExternalId)],
    )
    def get(self, request: Request, *, now: datetime, external_id: str) -> BeatsFeedback:
        """Each beat of each current version as it was pushed, with how viewers left it."""
        name = bodies.read_part(external_id, ExternalId)
        shown = cuts.of_external_id(name)
        with sources.opened(now=now) as source:
            report = beats.curves(source=source, of=shown, currency=settings.REPORTING_CURRENCY)
        return feedback.of_beats(report, external_id=name, floors=snapshots.feedback_floors())
