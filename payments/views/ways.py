"""The rest of a series at once, and unlocks without a tap."""

from datetime import datetime
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from config.endpoints import IDEMPOTENCY_KEY, operation
from config.problems import NotFound
from payments import idempotency, rendering
from payments.models import TakenKind
from payments.prices import quotes
from payments.shapes import (
    AutoUnlockAnswer,
    AutoUnlockedAnswer,
    AutoUnlockPut,
    AutoUnlockRequest,
    AutoUnlocksAnswer,
    BundleUnlockAnswer,
    BundleUnlockRequest,
    UndoAnswer,
)
from payments.unlocking import auto_unlocks, bundles, spending, unlocks
from payments.views.paywall import SpendingEndpoint
from viewers.authentication import ViewerEndpoint


class UnlockSeries(SpendingEndpoint):
    @operation(
        summary="Unlock the rest of a series with coins",
        body=BundleUnlockRequest,
        answer=BundleUnlockAnswer,
        parameters=[IDEMPOTENCY_KEY],
        refusals=[
            unlocks.InsufficientCoins,
            spending.SpendConfirmationNeeded,
            unlocks.EpisodeAdsOnly,
            unlocks.WalletOnHold,
            quotes.QuoteInvalid,
            quotes.QuoteExpired,
            bundles.NothingToUnlock,
            NotFound,
            idempotency.KeyInvalid,
            idempotency.KeyReused,
        ],
    )
    def post(
        self, request: Request, *, now: datetime, body: BundleUnlockRequest, series_id: UUID
    ) -> Response:
        """Charges exactly what the quote of the paywall's bundle promises and opens all of its episodes,
        or none. Where one of them is owned by now, 409 carries a new quote for what is left."""
        key = idempotency.read_key(self.http_request(), body)
        decision = bundles.unlock(
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            series_id=series_id,
            quote=body.quote,
            now=now,
            key=key,
            playback_session_id=body.playback_session_id,
            position_ms=body.position_ms,
            confirmed_spend_coins=body.confirmed_spend_coins,
        )
        bundle_id = decision.outcome.bundle_id
        self.take_offer(body.decision_id, decision, TakenKind.BUNDLE, bundle_id, now)
        return self.decided(
            decision, key, lambda outcome: rendering.bundle_unlock(outcome, series_id), now
        )


class AutoUnlockEpisode(SpendingEndpoint):
    @operation(
        summary="Unlock an episode as the viewer has agreed to for its series",
        body=AutoUnlockRequest,
        answer=AutoUnlockedAnswer,
        parameters=[IDEMPOTENCY_KEY],
        refusals=[
            unlocks.InsufficientCoins,
            auto_unlocks.AutoUnlockOff,
            auto_unlocks.AutoUnlockPriceRose,
            auto_unlocks.AutoUnlockCapReached,
            auto_unlocks.AutoUnlockStopped,
            unlocks.EpisodeAdsOnly,
            unlocks.WalletOnHold,
            unlocks.EpisodeUnavailable,
            quotes.QuoteInvalid,
            idempotency.KeyInvalid,
            idempotency.KeyReused,
        ],
    )
    def post(
        self, request: Request, *, now: datetime, body: AutoUnlockRequest, episode_id: UUID
    ) -> Response:
        """Charges what the episode costs now, without a quote: only where the viewer has agreed to it,
        for no more than they have agreed to, and within their cap for the day."""
        key = idempotency.read_key(self.http_request(), body)
        decision = auto_unlocks.unlock(
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            episode_id=episode_id,
            now=now,
            key=key,
            playback_session_id=body.playback_session_id,
            position_ms=body.position_ms,
        )
        return self.decided(
            decision, key, lambda outcome: rendering.auto_unlock(outcome, episode_id), now
        )


class UndoUnlock(ViewerEndpoint):
    @operation(
        summary="Take back an unlock that was made without a tap",
        answer=UndoAnswer,
        refusals=[auto_unlocks.UndoRefused, NotFound],
    )
    def post(self, request: Request, *, now: datetime, unlock_id: UUID) -> UndoAnswer:
        """Before the episode is played, and until the `undo_until` of its unlock. The coins are back
        where they came from. The same call again changes nothing."""
        undone = auto_unlocks.undo(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            unlock_id=unlock_id,
            now=now,
        )
        return rendering.undone(undone)


class MyAutoUnlocks(ViewerEndpoint):
    @operation(summary="Series that are unlocked without a tap", answer=AutoUnlocksAnswer)
    def get(self, request: Request, *, now: datetime) -> AutoUnlocksAnswer:
        """None until the viewer agrees to one."""
        agreed = auto_unlocks.standings(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, now=now
        )
        return AutoUnlocksAnswer(
            series=[rendering.auto_unlock_standing(standing) for standing in agreed]
        )


class MyAutoUnlock(ViewerEndpoint):
    @operation(
        summary="Agree that a series is unlocked without a tap, or end it",
        body=AutoUnlockPut,
        answer=AutoUnlockAnswer,
        refusals=[
            auto_unlocks.AutoUnlockTermsMissing,
            quotes.QuoteInvalid,
            quotes.QuoteExpired,
            NotFound,
        ],
    )
    def put(
        self, request: Request, *, now: datetime, body: AutoUnlockPut, series_id: UUID
    ) -> AutoUnlockAnswer:
        """Agreed to are the prices that the quote promises: what becomes dearer is asked for anew. 409
        carries a new quote. Ending it always works."""
        if not body.enabled:
            ended = auto_unlocks.end(
                viewer_id=self.viewer.viewer_id,
                environment=self.viewer.environment,
                series_id=series_id,
                now=now,
            )
            return rendering.auto_unlock_standing(ended)
        if body.quote is None or body.daily_cap_coins is None:
            raise auto_unlocks.AutoUnlockTermsMissing
        agreed = auto_unlocks.agree(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            device_id=self.viewer.device_id,
            series_id=series_id,
            quote=body.quote,
            daily_cap_coins=body.daily_cap_coins,
            now=now,
        )
        return rendering.auto_unlock_standing(agreed)
