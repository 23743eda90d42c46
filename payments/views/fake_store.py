"""The fake store's checkout. Mounted only where settings.FAKE_STORE is on."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from rest_framework.request import Request

from config.endpoints import Endpoint, operation
from payments.models import Offer, Provider, StoreProduct
from payments.providers import registry
from payments.shapes import FakeSaleAnswer, FakeSaleRequest
from payments.store.purchases import ProductUnknown
from viewers.models import Environment, Viewer


class FakeCheckout(Endpoint):
    @operation(
        summary="Buy in the fake store",
        body=FakeSaleRequest,
        answer=FakeSaleAnswer,
        refusals=[ProductUnknown],
    )
    def post(self, request: Request, *, now: datetime, body: FakeSaleRequest) -> FakeSaleAnswer:
        """Plays the store's part: takes no money and answers a signed transaction."""
        product = (
            StoreProduct.objects.filter(
                Q(pack__is_active=True)
                | Q(pass_product__is_active=True)
                | Exists(_offers_of_pack()),
                provider=Provider.FAKE,
                store_product_id=body.product_id,
            )
            .select_related("pack", "pass_product")
            .first()
        )
        sold = (product.pack or product.pass_product) if product else None
        if product is None or sold is None:
            raise ProductUnknown
        signed = registry.fake_store(settings).sell(
            product_id=product.store_product_id,
            account_token=body.account_token,
            intent_id=body.intent_id,
            price_micros=sold.price_micros,
            currency=sold.currency,
            environment=_environment_of(body.account_token),
            now=now,
        )
        return FakeSaleAnswer(transaction=signed)


def _offers_of_pack() -> QuerySet[Offer]:
    """A pack that is not shown by itself may be sold under offers alone."""
    return Offer.objects.filter(pack=OuterRef("pack"))


def _environment_of(account_token: UUID) -> str:
    """A tester's purchases are the sandbox's, as in the real stores."""
    tester = Viewer.objects.filter(id=account_token, environment=Environment.SANDBOX)
    return Environment.SANDBOX if tester.exists() else Environment.PRODUCTION
