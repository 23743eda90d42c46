"""Every network with its adapter and somebody who signs as it does, behind one face."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from ads.networks import fake
from ads.networks.admob import AdMobAdapter
from ads.networks.applovin import AppLovinAdapter, Token
from ads.networks.base import NetworkAdapter, Part, SignedReward
from ads.networks.fake import FakeAdNetwork
from ads.networks.levelplay import LevelPlayAdapter
from ads.networks.pangle import PangleAdapter
from ads.networks.provisional import ProvisionalAdapter
from ads.networks.unity import UnityAdsAdapter
from ads.networks.wechat import WeChatAdapter
from demo.networks import account as accounts
from demo.networks import signing
from demo.networks.account import Account
from demo.networks.signing import View

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
ANNOUNCED = NOW - timedelta(minutes=1)
SESSION, VIEWER = "0199a0b1c2d37e4f8091a2b3c4d5e6f7", "0199ffeeddcc7bbbaaaa999988887777"
OTHERS_SESSION, OTHERS_VIEWER = "0" * 31 + "1", "0" * 31 + "2"
OURS, THEIRS = accounts.opened(), accounts.opened()
THEIRS.admob_keys = [accounts.new_key(OURS.admob_keys[0].key_id)]


@dataclass(frozen=True)
class Case:
    """A network. `signs` writes the callback for a view with an account's keys."""

    name: str
    adapter: NetworkAdapter
    signs: Callable[[Account, View], str]
    ad_unit: str
    #: The ad unit as the callback's fact has it.
    attested_ad_unit: str | None

    def view(self, *, session: str = SESSION, viewer: str = VIEWER, number: int = 1) -> View:
        """A view of what an app was handed over."""
        given = self.adapter.hand_over(
            session=session, viewer=viewer, ad_unit_id=self.ad_unit, now=ANNOUNCED
        )
        return View(
            ad_unit=self.ad_unit,
            custom_data=given.custom_data,
            user_id=given.user_id,
            transaction_id=f"{number:032x}",
            watched_at=NOW,
        )

    def callback(self, *, by: Account = OURS, **of: object) -> str:
        """The query string of the callback for a view."""
        return self.signs(by, self.view(**of))

    def read(self, query: str) -> SignedReward:
        """What the adapter makes of a query string. Raises NetworkError."""
        return self.adapter.verify(query, self.adapter.keys(self.adapter.document), now=NOW)

    def covered(self, reward: SignedReward) -> tuple[object, ...]:
        """The parts that the signature holds together."""
        return tuple(getattr(reward, part) for part in sorted(self.adapter.conduct.covered))

    @property
    def leaves(self) -> frozenset[Part]:
        """The parts that it does not."""
        return frozenset(Part) - self.adapter.conduct.covered

    def __str__(self) -> str:
        return self.name


def _by_the_fake_network(account: Account, view: View) -> str:
    network = FakeAdNetwork(account.admob_keys[0].private, key_id=fake.KEY_ID)
    return network.watched(
        ad_unit_id=view.ad_unit,
        custom_data=view.custom_data,
        user_id=view.user_id,
        now=view.watched_at,
        transaction_id=view.transaction_id,
    )


def _by_the_app(account: Account, view: View) -> str:
    """A claim. Whoever has no ticket of ours makes one up, sealed with a key of their own."""
    if account is not OURS:
        stranger = ProvisionalAdapter(network="douyin", seal_keys=["not ours"])
        made_up = stranger.hand_over(
            session=SESSION, viewer=view.user_id, ad_unit_id=view.ad_unit, now=ANNOUNCED
        )
        view = replace_view(view, custom_data=made_up.custom_data)
    values = {"ad_unit": view.ad_unit, "custom_data": view.custom_data, "user_id": view.user_id}
    return urlencode(values, safe="/")


def replace_view(view: View, **changes: object) -> View:
    """The view, with other values."""
    return View(**{name: getattr(view, name) for name in view.__struct_fields__} | changes)


UNIT = "9ad0816ac071552a"
FAKE = FakeAdNetwork(OURS.admob_keys[0].private)
ADMOB_DOCUMENT = FakeAdNetwork(
    OURS.admob_keys[0].private, key_id=OURS.admob_keys[0].key_id
).document()

CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case(
            "admob",
            AdMobAdapter(keys_url="", document=ADMOB_DOCUMENT),
            signing.admob,
            "ca-app-pub-1/5224354917",
            "5224354917",
        ),
        Case("fake", fake.adapter(FAKE), _by_the_fake_network, "fake-app/unit-1", "unit-1"),
        Case(
            "applovin",
            AppLovinAdapter(event_keys=["an older key", OURS.applovin_event_key]),
            signing.applovin,
            UNIT,
            UNIT,
        ),
        Case(
            "applovin event",
            AppLovinAdapter(event_keys=[OURS.applovin_event_key], token=Token.EVENT),
            signing.applovin_event,
            UNIT,
            UNIT,
        ),
        Case(
            "levelplay",
            LevelPlayAdapter(private_keys=["an older key", OURS.levelplay_private_key]),
            signing.levelplay,
            "a1b2c3d4e",
            None,
        ),
        Case(
            "unity",
            UnityAdsAdapter(secrets=["another game's", OURS.unity_secret]),
            signing.unity,
            "Rewarded_Android",
            None,
        ),
        Case(
            "pangle",
            PangleAdapter(
                security_keys=[
                    ("980000002", "another unit's"),
                    ("980000001", "an older key"),
                    ("980000001", OURS.pangle_key("980000001")),
                ]
            ),
            signing.pangle,
            "980000001",
            "980000001",
        ),
        Case(
            "wechat",
            WeChatAdapter(token=OURS.wechat_token, aes_key=OURS.wechat_aes_key),
            signing.wechat,
            "adunit-0123456789abcdef",
            None,
        ),
        Case(
            "douyin",
            ProvisionalAdapter(network="douyin", seal_keys=["the newest", "an older one"]),
            _by_the_app,
            "1f2e3d4c5b6a",
            "1f2e3d4c5b6a",
        ),
    )
}
