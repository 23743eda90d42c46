"""Promo codes."""

from datetime import datetime

from rest_framework.request import Request
from rest_framework.response import Response

from config import client_address
from config.endpoints import operation
from payments import rendering
from payments.ledger import wallets
from payments.shapes import RedeemRequest, RedemptionAnswer
from payments.store import promo_codes
from viewers.authentication import ViewerEndpoint


class RedeemPromoCode(ViewerEndpoint):
    @operation(
        summary="Redeem a promo code",
        body=RedeemRequest,
        answer=RedemptionAnswer,
        refusals=[
            promo_codes.PromoCodeUnknown,
            promo_codes.PromoCodeOver,
            promo_codes.PromoCodeUsedUp,
            promo_codes.TooManyAttempts,
        ],
        also_statuses=[201],
    )
    def post(self, request: Request, *, now: datetime, body: RedeemRequest) -> Response:
        """Gives the code's coins, once for each viewer: 201 when this call gave them, 200 when an earlier
        one did. Unknown codes are counted by viewer and address, and after some of them in a day every
        code is refused."""
        redeemed = promo_codes.redeem(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            typed=body.code,
            address=client_address.read(self.http_request()),
            now=now,
        )
        now_spendable = wallets.balance(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, at=now
        )
        status = 201 if redeemed.is_new else 200
        return Response(rendering.redemption(redeemed, now_spendable=now_spendable), status=status)
