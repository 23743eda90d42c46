"""The feed: what to show a viewer next."""

from datetime import datetime
from uuid import UUID

from rest_framework.request import Request

from catalog import feed
from catalog.rendering import asked_by, series_answer
from catalog.shapes import FeedAnswer, FeedQuery, FeedSlot
from config.endpoints import operation
from viewers.authentication import ViewerEndpoint


class FeedEndpoint(ViewerEndpoint):
    @operation(
        summary="What to show next",
        query=FeedQuery,
        answer=FeedAnswer,
        refusals=[feed.DecisionUnknown],
    )
    def get(self, request: Request, *, now: datetime, query: FeedQuery) -> FeedAnswer:
        """Each answer is a decision of its own, drawn anew and kept under its id with the
        propensity of every slot. Without `after` a feed begins; with it the feed goes on and
        repeats nothing. It ends after 1,000 series."""
        asked = asked_by(request, query.locale)
        page = feed.decide(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            limit=query.limit,
            after=UUID(query.after) if query.after else None,
            asked=asked,
            now=now,
        )
        return FeedAnswer(
            decision_id=page.decision_id,
            slots=[
                FeedSlot(
                    slot=slot.number,
                    series=series_answer(slot.series, asked=asked),
                    propensity=slot.propensity,
                )
                for slot in page.slots
            ],
            has_more=page.has_more,
        )
