"""Buying coins or a pass: the intent before, the store's transaction after."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from config.endpoints import IDEMPOTENCY_KEY, operation
from config.problems import NotFound, Problem
from payments import idempotency, purchase_rendering
from payments.access import offer_choices
from payments.idempotency import Answered, Once
from payments.messages import inbox, refused_claims, submissions
from payments.messages.asking import Patience
from payments.messages.submissions import Waits
from payments.models import TakenKind
from payments.providers.base import Fact
from payments.purchase_shapes import (
    IntentAnswer,
    IntentRequest,
    PurchaseAnswer,
    SubmissionAnswer,
    SubmitRequest,
)
from payments.store import offer_claims, pass_purchases, purchases
from viewers.authentication import ViewerEndpoint


class ProductAmbiguous(Problem):
    code = "product_ambiguous"
    title = "Name what is about to be bought: a coin pack or a pass, and one of them"


#: What a key keeps of an announcement.
KEPT_REFUSALS: tuple[type[Problem], ...] = (
    purchases.ProviderUnknown,
    purchases.ProductUnknown,
    ProductAmbiguous,
    pass_purchases.CoveredTooFar,
    *offer_claims.REFUSALS,
)


class CreateIntent(ViewerEndpoint):
    @operation(
        summary="Announce a purchase before paying",
        body=IntentRequest,
        answer=IntentAnswer,
        status=201,
        parameters=[IDEMPOTENCY_KEY],
        refusals=[*KEPT_REFUSALS, idempotency.KeyInvalid, idempotency.KeyReused],
    )
    def post(self, request: Request, *, now: datetime, body: IntentRequest) -> Response:
        """Answers what the store's SDK needs, for a coin pack or for a pass. The coins, or the length of
        the pass, promised here are what will be credited. An offer is kept for the viewer until
        `held_until`; announcing it again keeps it for longer, up to four times as long in all. With a
        key, the same call again is the same intent, and what was refused stays refused."""
        once = Once(
            viewer_id=self.viewer.viewer_id,
            operation="create_intent",
            key=idempotency.read_key(self.http_request(), body),
            shape=IntentAnswer,
            refusals=KEPT_REFUSALS,
        )
        answered = once.answer(partial(self._announce, body, now), now=now)
        return Response(answered.answer, status=201, headers=answered.headers)

    def _announce(self, body: IntentRequest, now: datetime) -> IntentAnswer:
        if body.pass_id is not None and body.pack_id is None:
            return self._announce_pass(body.pass_id, body, now)
        if body.pack_id is None or body.pass_id is not None:
            raise ProductAmbiguous
        intent, product = purchases.create_intent(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            pack_id=body.pack_id,
            provider=body.provider,
            offer_id=body.offer_id,
            now=now,
        )
        self._take_offer(body.decision_id, TakenKind.PURCHASE_INTENT, intent.id, now)
        return purchase_rendering.intent(intent, product, environment=self.viewer.environment)

    def _announce_pass(self, pass_id: UUID, body: IntentRequest, now: datetime) -> IntentAnswer:
        intent, product = pass_purchases.create_intent(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            pass_id=pass_id,
            provider=body.provider,
            now=now,
        )
        self._take_offer(body.decision_id, TakenKind.PASS_INTENT, intent.id, now)
        return purchase_rendering.pass_intent(intent, product)

    def _take_offer(
        self, decision_id: UUID | None, kind: TakenKind, intent_id: UUID, now: datetime
    ) -> None:
        offer_choices.take(
            decision_id,
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            kind=kind,
            subject_id=intent_id,
            now=now,
        )


#: The store could not be asked, or has not been paid: it is asked again in a while.
RETRY_AFTER_SECONDS = "15"


class SubmitTransaction(ViewerEndpoint):
    @operation(
        summary="Hand in a store's signed transaction",
        body=SubmitRequest,
        answer=PurchaseAnswer,
        parameters=[IDEMPOTENCY_KEY],
        refusals=[
            purchases.ProviderUnknown,
            purchases.TransactionInvalid,
            purchases.TransactionOfAnotherViewer,
            submissions.PaymentFailed,
            inbox.TooManySubmissions,
            purchases.ProductUnknown,
            pass_purchases.CoveredTooFar,
            idempotency.KeyInvalid,
            idempotency.KeyReused,
        ],
        also_statuses=[201],
        also_answers={202: SubmissionAnswer},
    )
    def post(
        self, request: Request, *, now: datetime, body: SubmitRequest, provider: str
    ) -> Response:
        """Verified and credited once, ever, with a key or without: coins, the cover of a pass, a subscription. It is
        credited to whoever announced it, whoever hands it in. The same transaction again is answered, not credited.
        201 when this call credited it, 200 when an earlier one did. With a key the same call again answers as the
        first did, 201 included; a refusal is not kept, since the viewer has paid and its cause may be mended.

        202 with a submission where the store cannot be asked right now, or waits for its money: it is kept and
        booked by itself, and `GET /v1/purchases/{id}` says when. A store has six seconds to answer. What it says was
        not paid, and will not be, is refused as payment_failed."""
        try:
            answered = self._answered(body, provider, now)
        except Waits as why:
            kept = submissions.keep(
                viewer_id=self.viewer.viewer_id,
                provider=provider,
                handed_in=body.transaction,
                why=why,
                now=now,
            )
            return Response(
                purchase_rendering.submission(kept, now=now),
                status=202,
                headers={"Retry-After": RETRY_AFTER_SECONDS},
            )
        status = 201 if answered.answer.credited_now else 200
        return Response(answered.answer, status=status, headers=answered.headers)

    def _answered(
        self, body: SubmitRequest, provider: str, now: datetime
    ) -> Answered[PurchaseAnswer]:
        once = Once(
            viewer_id=self.viewer.viewer_id,
            operation="submit_transaction",
            key=idempotency.read_key(self.http_request(), body),
            shape=PurchaseAnswer,
        )
        answered = once.kept()
        if answered is not None:
            return answered
        found = submissions.read(
            provider=provider, handed_in=body.transaction, patience=Patience(), now=now
        )
        try:
            return once.answer(partial(self._book, provider, found, now), now=now)
        except purchases.TransactionOfAnotherViewer:
            viewer_id = self.viewer.viewer_id
            applied = submissions.book_for_its_owner(
                found, viewer_id=viewer_id, provider=provider, now=now
            )
            refused_claims.note(applied, viewer_id=viewer_id, provider=provider, now=now)
            raise

    def _book(self, provider: str, found: Sequence[Fact], now: datetime) -> PurchaseAnswer:
        booked = submissions.book(
            found, viewer_id=self.viewer.viewer_id, provider=provider, now=now
        )
        return purchase_rendering.booked(booked, now=now)


class MyPurchase(ViewerEndpoint):
    @operation(
        summary="What came of a transaction",
        answer=SubmissionAnswer,
        refusals=[NotFound],
    )
    def get(self, request: Request, *, now: datetime, purchase_id: UUID) -> SubmissionAnswer:
        """Of what the viewer has bought, or handed in and got 202 for."""
        found = submissions.standing(purchase_id, viewer_id=self.viewer.viewer_id)
        return purchase_rendering.submission(found, now=now)
