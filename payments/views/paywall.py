"""Paywall, unlock and play."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from config.bodies import AnswerShape
from config.endpoints import IDEMPOTENCY_KEY, operation
from config.problems import NotFound
from payments import idempotency, rendering
from payments.access import offer_choices, paywall, playing
from payments.models import TakenKind
from payments.prices import quotes
from payments.shapes import PaywallAnswer, PlayAnswer, UnlockAnswer, UnlockRequest
from payments.unlocking import spending, unlocks
from viewers.authentication import ViewerEndpoint


class SeriesPaywall(ViewerEndpoint):
    @operation(summary="What may be watched, and what opens the rest", answer=PaywallAnswer)
    def get(self, request: Request, *, now: datetime, series_id: UUID) -> PaywallAnswer:
        """Each episode is free, owned or locked at a price. The quote promises these prices until
        it expires; hand it back to unlock. Which ways past it are shown is decided once for viewer and
        episode."""
        shown = paywall.show(
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            series_id=series_id,
            now=now,
        )
        return rendering.paywall(shown, offer_choices.show(shown))


class SpendingEndpoint(ViewerEndpoint):
    """What every endpoint that spends coins does with the decision."""

    def decided(
        self,
        decision: unlocks.Decision,
        key: idempotency.IdempotencyKey | None,
        render: Callable[[unlocks.Outcome], AnswerShape],
        now: datetime,
    ) -> Response:
        """The answer, or the refusal for too few coins."""
        headers = {idempotency.REPLAYED_HEADER: "true"} if decision.is_replay else {}
        if decision.outcome.outcome is unlocks.Result.INSUFFICIENT_COINS:
            raise self._refusal(decision, key, headers, now)
        return Response(render(decision.outcome), headers=headers)

    def take_offer(
        self,
        decision_id: UUID | None,
        decision: unlocks.Decision,
        kind: TakenKind,
        subject_id: UUID | None,
        now: datetime,
    ) -> None:
        """Keeps which of the paywall's decisions the app says led to this unlock, once."""
        if not decision.is_replay:
            offer_choices.take(
                decision_id,
                viewer_id=self.viewer.viewer_id,
                environment=self.viewer.environment,
                kind=kind,
                subject_id=subject_id,
                now=now,
            )

    def _refusal(
        self,
        decision: unlocks.Decision,
        key: idempotency.IdempotencyKey | None,
        headers: dict[str, str],
        now: datetime,
    ) -> unlocks.InsufficientCoins:
        """Offers change while a key's answer must not: the first rendering is pinned."""
        offered = decision.pinned_answer or msgspec.json.encode(
            rendering.offers_for(
                decision.outcome.shortfall_coins,
                viewer_id=self.viewer.viewer_id,
                environment=self.viewer.environment,
                now=now,
            )
        )
        if key is not None and decision.pinned_answer is None:
            offered = unlocks.pin_answer(viewer_id=self.viewer.viewer_id, key=key, answer=offered)
        refusal = unlocks.InsufficientCoins(
            price_coins=decision.outcome.price_coins,
            balance_coins=decision.outcome.balance_coins,
            shortfall_coins=decision.outcome.shortfall_coins,
            offers=msgspec.Raw(offered),
        )
        refusal.headers = headers
        return refusal


class UnlockEpisode(SpendingEndpoint):
    @operation(
        summary="Unlock an episode with coins",
        body=UnlockRequest,
        answer=UnlockAnswer,
        parameters=[IDEMPOTENCY_KEY],
        refusals=[
            unlocks.InsufficientCoins,
            spending.SpendConfirmationNeeded,
            unlocks.EpisodeAdsOnly,
            unlocks.WalletOnHold,
            unlocks.EpisodeUnavailable,
            quotes.QuoteInvalid,
            quotes.QuoteExpired,
            idempotency.KeyInvalid,
            idempotency.KeyReused,
        ],
    )
    def post(
        self, request: Request, *, now: datetime, body: UnlockRequest, episode_id: UUID
    ) -> Response:
        """Charges exactly what the quote promises, for good or, with a rental's quote, for a time. An
        episode that is open already is never charged again. 402 carries the offers that would help, 409
        a new quote, or what the viewer has to confirm first."""
        key = idempotency.read_key(self.http_request(), body)
        decision = unlocks.unlock(
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            episode_id=episode_id,
            quote=body.quote,
            now=now,
            key=key,
            playback_session_id=body.playback_session_id,
            position_ms=body.position_ms,
            confirmed_spend_coins=body.confirmed_spend_coins,
        )
        unlock_id = decision.outcome.unlock_id
        self.take_offer(body.decision_id, decision, TakenKind.UNLOCK, unlock_id, now)
        return self.decided(
            decision, key, lambda outcome: rendering.unlock(outcome, episode_id), now
        )


class PlayEpisode(ViewerEndpoint):
    @operation(
        summary="Playback URLs for an episode and the next openable ones",
        answer=PlayAnswer,
        refusals=[playing.EpisodeLocked, NotFound],
    )
    def post(self, request: Request, *, now: datetime, episode_id: UUID) -> PlayAnswer:
        """Short-lived URLs. Ask again before `expires_at` while playing on."""
        opened = playing.play(
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            episode_id=episode_id,
            now=now,
        )
        first, *following = (rendering.playback(episode) for episode in opened)
        return PlayAnswer(playback=first, next=following)
