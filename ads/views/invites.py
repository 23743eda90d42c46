"""Inviting others, and saying who brought oneself."""

from datetime import datetime

from rest_framework.request import Request
from rest_framework.response import Response

from ads import task_rendering
from ads.growth import referrals
from ads.task_shapes import InviteAnswer, ReferrerAnswer, ReferrerRequest
from ads.views.tasks import caller
from config import client_address
from config.endpoints import operation
from viewers.authentication import ViewerEndpoint


class MyInvite(ViewerEndpoint):
    @operation(summary="The viewer's code, and what it has brought", answer=InviteAnswer)
    def get(self, request: Request, *, now: datetime) -> InviteAnswer:
        """`reward_coins` is what one invited viewer brings; 0 where nothing is given for it."""
        return self._answer()

    @operation(
        summary="Make the viewer's code",
        answer=InviteAnswer,
        refusals=[referrals.ReferralsOff],
        also_statuses=[201],
    )
    def post(self, request: Request, *, now: datetime) -> Response:
        """201 when this call made it, 200 when it was there."""
        is_new = referrals.make_code(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, now=now
        )
        return Response(self._answer(), status=201 if is_new else 200)

    def _answer(self) -> InviteAnswer:
        found = referrals.invited(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment
        )
        return task_rendering.invite(found)


class MyReferrer(ViewerEndpoint):
    @operation(
        summary="Say who brought the viewer",
        body=ReferrerRequest,
        answer=ReferrerAnswer,
        refusals=[
            referrals.ReferralsOff,
            referrals.InviteUnknown,
            referrals.ReferredByAnother,
            referrals.ReferralTooLate,
            referrals.ReferralRefused,
        ],
        also_statuses=[201],
    )
    def post(self, request: Request, *, now: datetime, body: ReferrerRequest) -> Response:
        """Once, in the first days. The referrer is paid after `due_at`, when the viewer has watched
        enough or signed in, and nothing of theirs was refunded."""
        bound = referrals.bind(
            caller(self.viewer),
            code=body.code,
            address=client_address.read(self.http_request()),
            now=now,
        )
        return Response(task_rendering.referrer(bound), status=201 if bound.is_new else 200)
