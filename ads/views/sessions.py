"""Watching an ad for an episode: what is on offer, the session before, its state after."""

from datetime import datetime
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from ads import origins, rendering, sessions
from ads.policies import Onlooker
from ads.shapes import (
    OpenSessionAnswer,
    OpenSessionRequest,
    PlacementsAnswer,
    PlacementsQuery,
    SessionAnswer,
)
from config import client_address
from config.endpoints import operation
from config.problems import NotFound
from payments.access import offer_choices
from payments.models import TakenKind
from payments.unlocking.unlocks import EpisodeUnavailable
from viewers.authentication import ViewerEndpoint


class AdPlacements(ViewerEndpoint):
    @operation(
        summary="Where ads can be watched, for what, and how many are left",
        query=PlacementsQuery,
        answer=PlacementsAnswer,
    )
    def get(self, request: Request, *, now: datetime, query: PlacementsQuery) -> PlacementsAnswer:
        """What is left of the day's cap, which ends at midnight in the reporting time zone, and
        when the next ad may be opened. Only placements that are for this viewer."""
        onlooker = Onlooker(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, now=now
        )
        found = sessions.on_offer(onlooker, series_id=query.series_id or None)
        return PlacementsAnswer(placements=[rendering.placement(one) for one in found])


class OpenAdSession(ViewerEndpoint):
    @operation(
        summary="Announce an ad before showing it",
        body=OpenSessionRequest,
        answer=OpenSessionAnswer,
        status=201,
        also_statuses=[200],
        refusals=[
            sessions.PlacementUnknown,
            sessions.AdTargetWrong,
            sessions.AdsNotHere,
            EpisodeUnavailable,
            sessions.EpisodeNotLocked,
            sessions.AdSessionElsewhere,
            sessions.AdCapReached,
            sessions.AdCoolingDown,
            origins.AdAccountsCrowded,
        ],
    )
    def post(self, request: Request, *, now: datetime, body: OpenSessionRequest) -> Response:
        """A session counts once, for this episode or for coins, when the network confirms the ad by
        `expires_at`. 200 when the viewer had an open session for it, which is lengthened."""
        opened = sessions.open_one(
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            placement_code=body.placement,
            episode_id=body.episode_id,
            playback_session_id=body.playback_session_id,
            position_ms=body.position_ms,
            address=client_address.read(self.http_request()),
            now=now,
        )
        offer_choices.take(
            body.decision_id,
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            kind=TakenKind.AD_SESSION,
            subject_id=opened.session_id,
            now=now,
        )
        return Response(rendering.opened(opened), status=201 if opened.is_new else 200)


class AdSessionState(ViewerEndpoint):
    @operation(
        summary="Whether an ad counts, and what it opened",
        answer=SessionAnswer,
        refusals=[NotFound],
    )
    def get(self, request: Request, *, now: datetime, session_id: UUID) -> SessionAnswer:
        """Ask again while it is open, which is to show that the reward is pending: the network's word usually
        takes a few seconds."""
        session = sessions.find(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            session_id=session_id,
        )
        return rendering.session(session, at=now)
