"""Buying coins: the intent before, the store's transaction after."""

from datetime import datetime

from rest_framework.request import Request
from rest_framework.response import Response

from config.endpoints import operation
from payments import purchases, rendering
from payments.shapes import IntentAnswer, IntentRequest, PurchaseAnswer, SubmitRequest
from viewers.authentication import ViewerEndpoint


class CreateIntent(ViewerEndpoint):
    @operation(
        summary="Announce a purchase before paying",
        body=IntentRequest,
        answer=IntentAnswer,
        status=201,
        refusals=[purchases.ProviderUnknown, purchases.ProductUnknown],
    )
    def post(self, request: Request, *, now: datetime, body: IntentRequest) -> IntentAnswer:
        """Answers what the store's SDK needs. The coins promised here are what will be credited."""
        intent, product = purchases.create_intent(
            viewer_id=self.viewer.viewer_id, pack_id=body.pack_id, provider=body.provider, now=now
        )
        return IntentAnswer(
            intent_id=intent.id,
            provider=intent.provider,
            store_product_id=product.store_product_id,
            account_token=intent.viewer_id,
            offer=rendering.offer(product.pack),
        )


class SubmitTransaction(ViewerEndpoint):
    @operation(
        summary="Hand in a store's signed transaction",
        body=SubmitRequest,
        answer=PurchaseAnswer,
        refusals=[
            purchases.ProviderUnknown,
            purchases.TransactionInvalid,
            purchases.StoreUnavailable,
            purchases.TransactionOfAnotherViewer,
            purchases.ProductUnknown,
            purchases.IntentUnknown,
        ],
        also_statuses=[201],
    )
    def post(
        self, request: Request, *, now: datetime, body: SubmitRequest, provider: str
    ) -> Response:
        """Verified and credited once, ever: the same transaction again is answered, not credited.
        201 when this call credited it, 200 when an earlier one did."""
        purchase, credited_now = purchases.submit(
            viewer_id=self.viewer.viewer_id,
            provider=provider,
            signed=body.transaction,
            now=now,
        )
        answer: PurchaseAnswer = rendering.purchase(purchase, credited_now=credited_now)
        return Response(answer, status=201 if credited_now else 200)
