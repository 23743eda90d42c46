"""Networks that call nobody: Douyin's rewarded video tells the app alone that it was watched to the end.

What stands in for the network's word is a claim of the app, and a ticket of ours in it: made when the ad
was announced, sealed with a key of ours, for one session, viewer and ad unit. That proves that we were
asked, for whom and when, and not that an ad was shown. So all placements of such a network together pay few
times a day, with long pauses (`ads.models.Placement`), and a claim that comes sooner than an ad can end is refused.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ads.networks import queries
from ads.networks.base import Conduct, Fault, HandOver, Keys, NetworkError, Part, SignedReward
from ads.networks.shared_secrets import SharedSecretAdapter, check_digest, usable

#: Whom this may speak for. SQL and models name them, too, or they would have no narrow caps: docs/ads/README.md,
#: "Adding a network", says where.
NAMES = frozenset({"douyin"})
#: What is taken to be the shortest ad: a claim that comes sooner is not believed.
SHORTEST_AD_SECONDS = 15

_SESSION, _TIME = 32, 40
_MAC_BYTES = 18

_SHAPES: Mapping[str, re.Pattern[str]] = {
    "ad_unit": re.compile(r"[0-9A-Za-z_.:/-]{1,100}"),
    "custom_data": re.compile(r"[0-9a-f]{40}[A-Za-z0-9_-]{24}"),
    "user_id": queries.OURS,
}


class ProvisionalAdapter(SharedSecretAdapter):
    """Believes its own tickets. `seal_keys` are bytes in hexadecimal: the first seals, all verify."""

    conduct = Conduct(
        covered=frozenset(Part) - {Part.MOMENT},
        answer_within_seconds=None,
        retries_seconds=(),
        is_proof=False,
    )

    def __init__(self, *, network: str, seal_keys: Sequence[str]) -> None:
        super().__init__()
        self._network = network
        self._keys = usable(seal_keys, network=network)

    def hand_over(self, *, session: str, viewer: str, ad_unit_id: str, now: datetime) -> HandOver:
        """See NetworkAdapter. `custom_data` is the ticket: session, time, seal."""
        begun = f"{session}{int(now.timestamp()):08x}"
        return HandOver(
            custom_data=begun + self._seal(self._keys[0], begun, viewer, ad_unit_id),
            user_id=viewer,
        )

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """See NetworkAdapter. The claim is `ad_unit`, `custom_data` and `user_id` as they were answered
        when the ad was announced; a session is one view, so its id names it."""
        values = queries.read(query_string, required=_SHAPES)
        ticket, viewer, ad_unit_id = values["custom_data"], values["user_id"], values["ad_unit"]
        begun, seal = ticket[:_TIME], ticket[_TIME:]
        check_digest((self._seal(key, begun, viewer, ad_unit_id) for key in self._keys), seal)
        announced_at = datetime.fromtimestamp(int(begun[_SESSION:], 16), UTC)
        if now < announced_at + timedelta(seconds=SHORTEST_AD_SECONDS):
            raise NetworkError("claimed sooner than any ad ends", Fault.IMPLAUSIBLE)
        return SignedReward(
            transaction_id=ticket[:_SESSION],
            ad_unit=ad_unit_id.rpartition("/")[2],
            custom_data=ticket[:_SESSION],
            user_id=viewer,
            is_probe=False,
        )

    def _seal(self, key: bytes, begun: str, viewer: str, ad_unit_id: str) -> str:
        sealed = "\n".join((self._network, begun, viewer, ad_unit_id)).encode()
        return base64.urlsafe_b64encode(hmac.digest(key, sealed, "sha256")[:_MAC_BYTES]).decode()
