"""The fake ad network's server. Mounted only where settings.FAKE_AD_NETWORK is on."""

from datetime import datetime

from django.conf import settings
from rest_framework.request import Request

from ads.networks import registry
from ads.shapes import FakeViewAnswer, FakeViewRequest
from config.endpoints import Endpoint, operation


class FakeAdView(Endpoint):
    @operation(
        summary="Watch an ad of the fake network", body=FakeViewRequest, answer=FakeViewAnswer
    )
    def post(self, request: Request, *, now: datetime, body: FakeViewRequest) -> FakeViewAnswer:
        """Plays the network's part: shows nothing and answers the callback that its server would
        send. Send it on to /v1/ssv/fake."""
        callback = registry.fake_network(settings).watched(
            ad_unit_id=body.ad_unit_id,
            custom_data=body.custom_data,
            user_id=body.user_id,
            now=now,
        )
        return FakeViewAnswer(callback=callback)
