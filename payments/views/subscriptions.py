"""What a viewer subscribes to, what they want back on this device, and pages where they pay."""

from datetime import datetime
from uuid import UUID

from rest_framework.request import Request

from config.endpoints import operation
from config.problems import NotFound
from payments import purchase_rendering
from payments.messages import asking, restoring
from payments.models import Provider
from payments.purchase_shapes import (
    CheckoutAnswer,
    CheckoutRequest,
    PaymentAnswer,
    PortalAnswer,
    PortalRequest,
    RestoreAnswer,
    RestoreRequest,
    SubscriptionsAnswer,
)
from payments.store import purchases, stripe_pages, subscriptions
from viewers.authentication import ViewerEndpoint

#: Room for as many transactions, each as long, as the body may have.
RESTORE_BODY_BYTES = 320 * 1024

#: What may stand against opening a page.
PAGE_REFUSALS = (
    NotFound,
    stripe_pages.NotByPage,
    stripe_pages.CheckoutRefused,
    purchases.ProviderUnknown,
    purchases.StoreUnavailable,
)


class MySubscriptions(ViewerEndpoint):
    @operation(summary="What the viewer subscribes to, or did", answer=SubscriptionsAnswer)
    def get(self, request: Request, *, now: datetime) -> SubscriptionsAnswer:
        """As their stores last told of them, the latest begun first, a hundred at most."""
        found = subscriptions.of_viewer(
            self.viewer.viewer_id, environment=self.viewer.environment, now=now
        )
        return SubscriptionsAnswer(
            subscriptions=[
                purchase_rendering.subscribed(one, is_open=is_open) for one, is_open in found
            ]
        )


class RestorePurchases(ViewerEndpoint):
    @operation(
        summary="Restore what was bought",
        body=RestoreRequest,
        limit_bytes=RESTORE_BODY_BYTES,
        answer=RestoreAnswer,
        refusals=[purchases.ProviderUnknown],
    )
    def post(self, request: Request, *, now: datetime, body: RestoreRequest) -> RestoreAnswer:
        """Hands in everything that the store's SDK has on this device. What was bought before is an answer, not an
        error. Coins and passes are whose they are. A subscription that another viewer has goes to this one only if
        they ask for it with `transfer` and its product lets it, three times in thirty days at most; every transfer
        is on record."""
        found = restoring.restore(
            body.transactions,
            viewer_id=self.viewer.viewer_id,
            provider=body.provider,
            is_asked=body.transfer,
            now=now,
        )
        return RestoreAnswer(restored=[purchase_rendering.restored(one, now=now) for one in found])


class OpenCheckout(ViewerEndpoint):
    @operation(
        summary="Open Stripe's page for an announced purchase",
        body=CheckoutRequest,
        answer=CheckoutAnswer,
        refusals=[*PAGE_REFUSALS, purchases.ProductUnknown],
    )
    def post(
        self, request: Request, *, now: datetime, body: CheckoutRequest, intent_id: UUID
    ) -> CheckoutAnswer:
        """The same intent again is the same page. `{CHECKOUT_SESSION_ID}` in `success_url` becomes the id that is
        handed in after."""
        with asking.turn(Provider.STRIPE):
            opened = stripe_pages.open_checkout(
                intent_id,
                viewer_id=self.viewer.viewer_id,
                environment=self.viewer.environment,
                success_url=body.success_url,
                cancel_url=body.cancel_url,
            )
        return purchase_rendering.checkout(opened)


class OpenPayment(ViewerEndpoint):
    @operation(
        summary="Open a payment for a page of the app's own",
        answer=PaymentAnswer,
        refusals=[*PAGE_REFUSALS, purchases.ProductUnknown, stripe_pages.RenewsByCheckout],
    )
    def post(self, request: Request, *, now: datetime, intent_id: UUID) -> PaymentAnswer:
        """For Stripe's Payment Element. The same intent again is the same payment."""
        with asking.turn(Provider.STRIPE):
            opened = stripe_pages.open_payment(
                intent_id, viewer_id=self.viewer.viewer_id, environment=self.viewer.environment
            )
        return PaymentAnswer(
            payment_intent_id=opened.payment_intent_id, client_secret=opened.client_secret
        )


class OpenPortal(ViewerEndpoint):
    @operation(
        summary="Open the page where a subscription is seen to",
        body=PortalRequest,
        answer=PortalAnswer,
        refusals=[*PAGE_REFUSALS, stripe_pages.NotItsBuyer],
    )
    def post(
        self, request: Request, *, now: datetime, body: PortalRequest, subscription_id: UUID
    ) -> PortalAnswer:
        """Stripe's customer portal, for whoever has bought it. Subscriptions of the other stores are seen to in the
        stores' own apps."""
        with asking.turn(Provider.STRIPE):
            url = stripe_pages.open_portal(
                subscription_id,
                viewer_id=self.viewer.viewer_id,
                return_url=body.return_url,
                now=now,
            )
        return PortalAnswer(url=url)
