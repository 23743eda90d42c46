"""Buying coins or a pass: the intent before, the store's transaction after."""

from datetime import datetime
from functools import partial
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from config.endpoints import IDEMPOTENCY_KEY, operation
from config.problems import Problem
from payments import idempotency, rendering
from payments.idempotency import Once
from payments.providers.base import StoreTransaction
from payments.shapes import IntentAnswer, IntentRequest, PurchaseAnswer, SubmitRequest
from payments.store import checkout, offer_claims, pass_purchases, passes, purchases
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
            return self._announce_pass(body.pass_id, body.provider, now)
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
        return rendering.intent(intent, product, environment=self.viewer.environment)

    def _announce_pass(self, pass_id: UUID, provider: str, now: datetime) -> IntentAnswer:
        intent, product = pass_purchases.create_intent(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            pass_id=pass_id,
            provider=provider,
            now=now,
        )
        return IntentAnswer(
            intent_id=intent.id,
            provider=intent.provider,
            store_product_id=product.store_product_id,
            account_token=intent.viewer_id,
            offer=None,
            pass_offer=passes.offer(intent.product),
        )


class SubmitTransaction(ViewerEndpoint):
    @operation(
        summary="Hand in a store's signed transaction",
        body=SubmitRequest,
        answer=PurchaseAnswer,
        parameters=[IDEMPOTENCY_KEY],
        refusals=[
            purchases.ProviderUnknown,
            purchases.TransactionInvalid,
            purchases.StoreUnavailable,
            purchases.TransactionOfAnotherViewer,
            purchases.ProductUnknown,
            purchases.IntentUnknown,
            pass_purchases.CoveredTooFar,
            idempotency.KeyInvalid,
            idempotency.KeyReused,
        ],
        also_statuses=[201],
    )
    def post(
        self, request: Request, *, now: datetime, body: SubmitRequest, provider: str
    ) -> Response:
        """Verified and credited once, ever, with a key or without: coins, or the cover of a pass. The same
        transaction again is answered, not credited. 201 when this call credited it, 200 when an earlier one did. With a key
        the same call again answers as the first did, 201 included; a refusal is not kept, since the
        viewer has paid and its cause may be mended."""
        once = Once(
            viewer_id=self.viewer.viewer_id,
            operation="submit_transaction",
            key=idempotency.read_key(self.http_request(), body),
            shape=PurchaseAnswer,
        )
        answered = once.kept()
        if answered is None:
            transaction = purchases.verify(
                viewer_id=self.viewer.viewer_id,
                provider=provider,
                signed=body.transaction,
                now=now,
            )
            credit = partial(self._credit, provider, transaction, now)
            answered = once.answer(credit, now=now)
        status = 201 if answered.answer.credited_now else 200
        return Response(answered.answer, status=status, headers=answered.headers)

    def _credit(
        self, provider: str, transaction: StoreTransaction, now: datetime
    ) -> PurchaseAnswer:
        bought, credited_now = checkout.credit(
            viewer_id=self.viewer.viewer_id, provider=provider, transaction=transaction, now=now
        )
        return rendering.purchase(bought, credited_now=credited_now)
