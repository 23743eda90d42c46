"""What support's tools ask: why a viewer may watch, and what is in their wallet."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType
from rest_framework.request import Request

from config.bodies import RequestShape
from config.endpoints import operation
from config.problems import NotFound
from payments.support import holdings, why
from payments.support.explanations import Explanation
from payments.support.holdings import Holdings
from payments.views import moments
from viewers.authentication import MachineEndpoint
from viewers.models import Environment, Scope, Viewer


class SupportQuery(RequestShape):
    """`environment` is the viewer's own if not given."""

    environment: Environment | UnsetType = UNSET


class WhyQuery(SupportQuery, kw_only=True):
    """`at` is now if not given; a moment ahead is taken for now. `device_id` is the viewer's device whose
    prices are meant, without it the one on which they were seen last."""

    viewer_id: UUID
    episode_id: UUID
    device_id: UUID | UnsetType = UNSET
    at: moments.AsText | UnsetType = UNSET


class SupportWhy(MachineEndpoint):
    required_scope = Scope.SUPPORT_READ

    @operation(
        summary="Why a viewer may watch an episode, or may not",
        query=WhyQuery,
        answer=Explanation,
        refusals=[NotFound],
    )
    def get(self, request: Request, *, now: datetime, query: WhyQuery) -> Explanation:
        """The chain of facts behind it, at any moment in the past: nothing later has a trace in it."""
        return why.why(
            viewer_id=query.viewer_id,
            environment=_environment(query.viewer_id, query),
            episode_id=query.episode_id,
            at=moments.read(query.at, default=now, now=now),
            device_id=query.device_id or None,
        )


class SupportWallet(MachineEndpoint):
    required_scope = Scope.SUPPORT_READ

    @operation(
        summary="A viewer's wallet with its lots and purchases",
        query=SupportQuery,
        answer=Holdings,
        refusals=[NotFound],
    )
    def get(
        self, request: Request, *, now: datetime, query: SupportQuery, viewer_id: UUID
    ) -> Holdings:
        """What can be spent, what is owed, the lots in spend order, and what became of purchases."""
        environment = _environment(viewer_id, query)
        return holdings.show(viewer_id=viewer_id, environment=environment, now=now)


def _environment(viewer_id: UUID, query: SupportQuery) -> str:
    """Raises NotFound for a viewer who is not known."""
    own = Viewer.objects.filter(id=viewer_id).values_list("environment", flat=True).first()
    if own is None:
        raise NotFound
    return query.environment or own
