"""One small world with a row for everything an operation may be about, and a valid call to each."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import msgspec
from django.conf import settings

from ads.models import Placement, Task, TaskKind
from ads.networks import pangle
from analytics.exports import file_store, links
from analytics.exports.callers import Caller
from catalog import playback
from catalog.models import Episode, Series
from config import clock
from payments.access import paywall
from payments.access.paywall import Paywall
from payments.desk import price_versions
from payments.models import (
    AcquisitionLink,
    ChangeCause,
    Offer,
    PaywallPlacement,
    PromoCode,
    Purchase,
    StoreProduct,
)
from payments.prices.terms import Adjustment, Rental
from payments.providers import registry
from payments.providers.base import State, SubscriptionSnapshot
from payments.providers.fake.verifier import FakeMessage
from payments.store import facts, pass_purchases, purchases, stripe_pages
from payments.store.facts import Telling
from payments.unlocking import auto_unlocks, bundles
from tests.factories.ads import PlacementFactory, ad_session, watched
from tests.factories.analytics import EXPORTED, done_export, publish_empty_rankings
from tests.factories.catalog import (
    EpisodeFactory,
    SeriesFactory,
    episode_push,
    png,
    series_push,
    stored_poster,
    stored_video,
)
from tests.factories.growth import TaskFactory, TaskTextFactory, caller, check_in_task, invite_of
from tests.factories.payments import (
    AcquisitionLinkFactory,
    OfferFactory,
    PaywallPlacementFactory,
    PromoCodeFactory,
    StorePassFactory,
    StoreProductFactory,
    buy_pass,
    default_plan,
    fund,
    signed_sale,
    told,
)
from tests.factories.viewers import DeviceFactory, clock_headers, pipeline_headers, viewer_headers
from tests.served_stripe import ServedStripe
from viewers import refresh_tokens
from viewers.models import ApiKey, Device, Scope

ADDRESS_SECRET = "a-secret-that-is-none-0123456789"
NETWORK_SETTINGS = {
    "PANGLE_SECURITY_KEYS": "944:not a secret",
    "APPLOVIN_EVENT_KEYS": "not a secret either",
    "AD_CALLBACK_SECRET": ADDRESS_SECRET,
}

# The default plan: eight episodes are free, then each costs 60 coins.
FREE, LOCKED, UNLOCKED, PRICE = 1, 9, 11, 60
WALLET_COINS = 5000
DAILY_CAP = 600


@dataclass(frozen=True)
class Call:
    """A call that succeeds with `status`. A dict is sent as JSON, bytes as they are."""

    status: int = 200
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] | bytes | None = None
    content_type: str = "application/json"

    def wire(self) -> tuple[bytes, str]:
        """Its body and content type as they are sent."""
        if self.body is None:
            return b"", ""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(
            self.body
        ), self.content_type


class World:
    """A published series with free and locked episodes, a pack on sale, and a funded viewer."""

    def __init__(self, now: datetime, stripe: ServedStripe) -> None:
        self.now, self.stripe = now, stripe
        _sell_every_way(now)
        self.video, self.poster = stored_video(), stored_poster()
        self.series: Series = SeriesFactory(title="The Hazards of Helen")
        self.episodes = {
            number: EpisodeFactory(series=self.series, number=number, version__media=self.video).id
            for number in (FREE, LOCKED, LOCKED + 1, UNLOCKED)
        }
        self.product: StoreProduct = StoreProductFactory()
        self.pass_product: StoreProduct = StorePassFactory()
        # No rate is known of it, nor one of its list price, by which to estimate.
        self.in_gold: StoreProduct = StoreProductFactory(
            pack__currency="XAU", pack__is_active=False
        )
        self.at_stripe: StoreProduct = StoreProductFactory(provider="stripe")
        self.vip_at_stripe: StoreProduct = StorePassFactory(
            provider="stripe",
            pass_product__period_months=1,
            pass_product__period_days=0,
            pass_product__is_renewing=True,
        )
        self.offer: Offer = OfferFactory(
            pack=self.product.pack, stock=1000, ends_at=now + timedelta(days=7)
        )
        self.promo: PromoCode = PromoCodeFactory(coins_expire_after_seconds=7 * 24 * 3600)
        self.placement: Placement = PlacementFactory()
        self.paywall_placement: PaywallPlacement = PaywallPlacementFactory()
        self.link: AcquisitionLink = AcquisitionLinkFactory(series=self.series)
        # Not here for so long that they could not say who brought them.
        self.viewer: Device = DeviceFactory(viewer__created_at=now - timedelta(days=2))
        self.invite_code = invite_of(caller(), now=now)
        self.task: Task = TaskFactory(
            kind=TaskKind.NOTIFICATIONS, period="once", target_count=1, bonus_coins=5
        )
        TaskTextFactory(task=self.task, title="Switch notifications on")
        if not Task.objects.filter(kind=TaskKind.CHECK_IN).exists():
            check_in_task()
        self.refresh_token = refresh_tokens.open_family(device=self.viewer, now=now).refresh_token
        fund(self.viewer.viewer_id, now=now, paid=WALLET_COINS + PRICE)
        self.intent_at_stripe = self._announce_at_stripe()
        self.subscription_at_stripe = self._end_at_stripe()
        self.auto_unlocked = self._unlock_without_a_tap()
        # It has ended, so that episodes are locked.
        buy_pass(self.viewer.viewer_id, now=now - timedelta(days=9))
        self.ad_session = ad_session(
            self.placement,
            viewer_id=self.viewer.viewer_id,
            episode_id=self.episodes[LOCKED],
            now=now,
        )
        self.callback = watched(self.ad_session, now=now)
        publish_empty_rankings(now=now)
        self._machine = pipeline_headers(now=now, scopes=list(Scope))
        self.export = done_export(by=ApiKey.objects.latest("id"), now=now)
        # A key notes its use once a minute: that is not for a refused call to be blamed with.
        ApiKey.objects.update(last_used_at=now)

    @property
    def paywall(self) -> Paywall:
        """What the viewer is shown."""
        return paywall.show(
            viewer_id=self.viewer.viewer_id,
            environment="production",
            series_id=self.series.id,
            now=self.now,
        )

    @property
    def quote(self) -> str:
        """What the viewer's paywall promises."""
        return self.paywall.quote.token()

    @property
    def bundle_quote(self) -> str:
        """What it promises for all that is locked."""
        quote = bundles.quote_for(self.paywall)
        assert quote is not None
        return quote.token()

    def _unlock_without_a_tap(self) -> UUID:
        """The viewer agrees to that for the series, and an episode of it is unlocked so."""
        whose: dict[str, Any] = {
            "viewer_id": self.viewer.viewer_id,
            "environment": "production",
            "now": self.now,
        }
        auto_unlocks.agree(
            **whose, series_id=self.series.id, quote=self.quote, daily_cap_coins=DAILY_CAP
        )
        unlocked = auto_unlocks.unlock(**whose, episode_id=self.episodes[UNLOCKED])
        assert unlocked.outcome.unlock_id is not None
        return unlocked.outcome.unlock_id

    def _announce_at_stripe(self) -> UUID:
        """Something that the viewer is about to buy in Stripe's page."""
        intent, _ = purchases.create_intent(
            viewer_id=self.viewer.viewer_id,
            environment="production",
            pack_id=self.at_stripe.pack_id,
            provider="stripe",
            now=self.now,
        )
        return intent.id

    def _end_at_stripe(self) -> UUID:
        """A subscription that the viewer has paid there, and that is over."""
        who: dict[str, Any] = {"viewer_id": self.viewer.viewer_id, "environment": "production"}
        intent, _ = pass_purchases.create_intent(
            pass_id=self.vip_at_stripe.pass_product_id, provider="stripe", now=self.now, **who
        )
        opened = stripe_pages.open_checkout(
            intent.id, success_url="https://app.test/done", cancel_url="https://app.test/", **who
        )
        self.stripe.order("pay", session=opened.session_id)
        (fact,) = purchases.read(provider="stripe", handed_in=opened.session_id, now=clock.read())
        assert isinstance(fact, SubscriptionSnapshot)
        ended = replace(
            fact, state=State.EXPIRED, access_until=None, period=None, renews_as="", as_of=self.now
        )
        applied = facts.apply(
            ended, provider="stripe", telling=Telling(ChangeCause.READ_BACK), now=self.now
        )
        assert applied.subscription is not None
        return applied.subscription.id

    def notification(self) -> bytes:
        """A notification of the fake store that nobody has heard of yet."""
        sold = told(self.sale(), now=self.now)
        message = FakeMessage(
            event_id=str(uuid4()),
            type="bought",
            environment="production",
            occurred_at_ms=int(self.now.timestamp() * 1000),
            transactions=(sold,),
        )
        return registry.fake_store(settings).tell(message).encode()

    def sale(self, *, of: StoreProduct | None = None) -> str:
        """A transaction of the fake store that nobody has handed in yet: of coins, if nothing is said."""
        return signed_sale(of or self.product, viewer_id=self.viewer.viewer_id, now=self.now)

    def headers(self, credential: str | None) -> dict[str, str]:
        """What a caller with the right credential sends at this world's moment."""
        if credential == "viewerToken":
            return viewer_headers(self.viewer, now=self.now)
        if credential == "apiKey":
            return self._machine
        return clock_headers(self.now)


def _sell_every_way(now: datetime) -> None:
    """Has the default plan offer bundles and rentals too; once, however many worlds there are."""
    plan, since = default_plan(), now - timedelta(hours=1)
    if not plan.versions.filter(effective_from=since).exists():
        price_versions.add(
            plan=plan,
            effective_from=since,
            free_count=LOCKED - 1,
            base_price_coins=PRICE,
            bundle=Adjustment(scale_parts_per_million=700_000),
            rental=Rental(Adjustment(price_coins=20), seconds=48 * 3600),
            now=since,
        )


def _push(world: World) -> list[Call]:
    body = series_push(
        episodes=[episode_push(1, video=world.video)],
        poster_sha256=world.poster.sha256,
        publish_at="2026-03-01T09:00:00Z",
    )
    path = {"external_id": f"helen-{uuid4()}"}
    return [Call(status=201, path=path, body=body), Call(path=path, body=body)]


def _upload(world: World) -> Call:
    content = png(uuid4().bytes)
    return Call(
        path={"sha256": hashlib.sha256(content).hexdigest()}, body=content, content_type="image/png"
    )


def _submit(world: World) -> list[Call]:
    path, body = {"provider": "fake"}, {"transaction": world.sale()}
    covers = {"transaction": world.sale(of=world.pass_product)}
    unrated = signed_sale(
        world.in_gold, viewer_id=world.viewer.viewer_id, now=world.now, currency="XAU"
    )
    return [
        Call(status=201, path=path, body=body),
        Call(path=path, body=body),
        Call(status=201, path=path, body=covers),
        Call(status=202, path=path, body={"transaction": unrated}),
    ]


def _bought(world: World) -> Call:
    return Call(
        path={
            "purchase_id": str(
                Purchase.objects.filter(viewer_id=world.viewer.viewer_id).values_list(
                    "id", flat=True
                )[0]
            )
        }
    )


def _restore(world: World) -> Call:
    return Call(
        body={"provider": "fake", "transactions": [world.sale(), "nonsense"], "transfer": False}
    )


def _checkout(world: World) -> Call:
    back = {"success_url": "https://app.test/done", "cancel_url": "https://app.test/"}
    return Call(path={"intent_id": str(world.intent_at_stripe)}, body=back)


def _portal(world: World) -> Call:
    path = {"subscription_id": str(world.subscription_at_stripe)}
    return Call(path=path, body={"return_url": "https://app.test/"})


def _unlock(world: World) -> Call:
    return Call(
        path={"episode_id": str(world.episodes[LOCKED])}, body={"quote": world.quote, **_decided()}
    )


def _decided() -> dict[str, Any]:
    """What led to a spend, and that it is meant."""
    return {
        "playback_session_id": str(uuid4()),
        "position_ms": 61_000,
        "confirmed_spend_coins": 500,
        "decision_id": str(uuid4()),
    }


def _unlock_rest(world: World) -> Call:
    return Call(
        path={"series_id": str(world.series.id)}, body={"quote": world.bundle_quote, **_decided()}
    )


def _auto_unlock(world: World) -> Call:
    body = {"playback_session_id": str(uuid4()), "position_ms": 61_000}
    return Call(path={"episode_id": str(world.episodes[LOCKED])}, body=body)


def _agree(world: World) -> Call:
    body = {"enabled": True, "quote": world.quote, "daily_cap_coins": DAILY_CAP + 1}
    return Call(path={"series_id": str(world.series.id)}, body=body)


def _guest(world: World) -> Call:
    body = {
        "install_id": str(uuid4()),
        "platform": "ios",
        "app_version": "1.4.2",
        "locale": "en-US",
        "region": "US",
    }
    return Call(status=201, body=body)


def _of_series(world: World) -> Call:
    return Call(path={"series_id": str(world.series.id)})


def _intent(world: World) -> list[Call]:
    pass_id = world.pass_product.pass_product_id
    plain = {
        "provider": "fake",
        "pack_id": str(world.product.pack_id),
        "pass_id": None,
        "decision_id": str(uuid4()),
    }
    of_pass = {"provider": "fake", "pack_id": None, "pass_id": str(pass_id)}
    under_offer = plain | {"offer_id": str(world.offer.id)}
    return [Call(status=201, body=body) for body in (under_offer, plain, of_pass)]


def _redeem(world: World) -> list[Call]:
    body = {"code": world.promo.code.lower()}
    return [Call(status=201, body=body), Call(body=body)]


def _sale(world: World) -> Call:
    body = {
        "product_id": world.product.store_product_id,
        "account_token": str(world.viewer.viewer_id),
        "intent_id": None,
    }
    return Call(body=body)


def _events(world: World) -> Call:
    opened = {"type": "app_open", "event_id": str(uuid4()), "created_at": "2026-03-14T11:59:59Z"}
    body = {
        "batch_id": str(uuid4()),
        "catalogue": 2,
        "sent_at": "2026-03-14T12:00:00Z",
        "app": {"platform": "ios", "version": "1.4.2", "locale": "en-US", "country": "US"},
        "events": [opened],
    }
    return Call(body=body)


def _poster(world: World) -> Call:
    return Call(path={"name": world.poster.storage_key.rpartition("/")[2]})


def _video(world: World) -> Call:
    version = Episode.objects.get(id=world.episodes[FREE]).current_version
    issued = playback.issue(version=version, viewer_id=world.viewer.viewer_id, now=world.now)
    return Call(path={"token": issued.url.rpartition("/")[2]})


def _position(world: World) -> Call:
    return Call(
        body={
            "series_id": str(world.series.id),
            "episode_id": str(world.episodes[FREE]),
            "position_ms": 4_000,
        }
    )


def _favorite(world: World) -> Call:
    return Call(body={"series_id": str(world.series.id), "is_favorite": True})


def _open_ad(world: World) -> list[Call]:
    body = {
        "placement": world.placement.code,
        "episode_id": str(world.episodes[LOCKED + 1]),
        "playback_session_id": str(uuid4()),
        "position_ms": 58_000,
        "decision_id": str(uuid4()),
    }
    return [Call(status=201, body=body), Call(body=body)]


def _why(world: World) -> Call:
    query = {
        "viewer_id": str(world.viewer.viewer_id),
        "episode_id": str(world.episodes[LOCKED]),
        "at": "2026-03-14T11:59:59.000001Z",
    }
    return Call(query=query)


def _watched(world: World) -> Call:
    return Call(path={"network": "fake"}, query=dict(parse_qsl(world.callback)))


def _watched_at_a_secret_address(world: World) -> Call:
    """Genuine, and about no session of ours: `NETWORK_SETTINGS` are in force while a world is."""
    return Call(
        path={"network": "pangle", "secret": ADDRESS_SECRET},
        query={
            "user_id": world.viewer.viewer_id.hex,
            "trans_id": "view-1",
            "extra": uuid4().hex,
            "sign": pangle.sign(b"not a secret", "view-1"),
        },
    )


def _impressions(world: World) -> Call:
    told = {
        "impression_id": "imp-1",
        "network": "fake",
        "ad_unit_id": world.placement.ad_unit_id,
        "format": "rewarded",
        "revenue_micros": 12_345,
        "currency": "USD",
        "precision": "precise",
        "country": "US",
        "occurred_at": world.now.isoformat(),
        "placement": world.placement.code,
        "ad_session_id": str(world.ad_session.id),
    }
    return Call(body={"impressions": [told]})


def _postback(world: World) -> Call:
    """Genuine, and about no viewer of ours."""
    event = "a" * 40
    token = hashlib.sha1(f"{event}not a secret either".encode()).hexdigest()  # noqa: S324
    return Call(
        path={"network": "applovin", "secret": ADDRESS_SECRET},
        query={
            "ad_unit_id": "9ad0816ac071552a",
            "cc": "US",
            "event_id": event,
            "event_token": token,
            "format": "REWARDED",
            "precision": "exact",
            "revenue": "0.0123",
            "ts": str(int(world.now.timestamp())),
            "user_id": uuid4().hex,
        },
    )


def _view(world: World) -> Call:
    body = {
        "ad_unit_id": world.placement.ad_unit_id,
        "custom_data": uuid4().hex,
        "user_id": world.viewer.viewer_id.hex,
    }
    return Call(body=body)


def _claim(world: World) -> list[Call]:
    path = {"code": world.task.code}
    return [
        Call(status=201, path=path, body={"period": "once"}),
        Call(path=path, body={"period": None}),
    ]


def _referrer(world: World) -> list[Call]:
    body = {"code": world.invite_code}
    return [Call(status=201, body=body), Call(body=body)]


def _export(world: World) -> list[Call]:
    of_report = {"name": "arpu", "query": {"by": "week"}, "format": "xlsx"}
    of_rows = {"name": "events", "query": {"since": "2026-03-01"}, "format": "parquet"}
    return [Call(status=202, body=body) for body in (of_report, of_rows)]


def _of_export(world: World) -> Call:
    return Call(path={"export_id": str(world.export.id)})


def _export_file(world: World) -> Call:
    # Its row comes back after it was cancelled, and the file does not.
    file_store.save(world.export.path, BytesIO(EXPORTED))
    by = Caller(api_key_id=world.export.api_key_id)
    link, _ = links.address(world.export, by=by, now=world.now)
    return replace(_of_export(world), query={"token": link.partition("?token=")[2]})


#: Calls that succeed, by operation id: together they reach every 2xx that is documented.
CALLS: Mapping[str, Callable[[World], Call | list[Call]]] = {
    "get_bootstrap": lambda world: Call(),
    "get_series_list": lambda world: Call(query={"q": "hazards", "limit": "3"}),
    "get_series": _of_series,
    "get_episodes": _of_series,
    "get_series_paywall": _of_series,
    "get_feed": lambda world: Call(query={"limit": "3"}),
    "get_my_history": lambda world: Call(query={"limit": "1"}),
    "put_my_history": _position,
    "get_my_favorites": lambda world: Call(query={"limit": "1"}),
    "put_my_favorites": _favorite,
    "get_me": lambda world: Call(),
    "patch_me": lambda world: Call(body={"shares_consumption": True}),
    "get_my_wallet": lambda world: Call(),
    "get_my_statement": lambda world: Call(query={"limit": "1"}),
    "get_expiry_notices": lambda world: Call(query={"limit": "1"}),
    "get_placement_config": lambda world: Call(path={"code": world.paywall_placement.code}),
    "post_my_arrival": lambda world: Call(body={"code": world.link.code}),
    "get_my_passes": lambda world: Call(query={"limit": "1"}),
    "get_offers": lambda world: Call(query={"placement": "paywall"}),
    "get_passes": lambda world: Call(),
    "post_register_guest": _guest,
    "post_exchange_refresh_token": lambda world: Call(body={"refresh_token": world.refresh_token}),
    "post_unlock_episode": _unlock,
    "post_unlock_series": _unlock_rest,
    "post_auto_unlock_episode": _auto_unlock,
    "post_undo_unlock": lambda world: Call(path={"unlock_id": str(world.auto_unlocked)}),
    "get_my_auto_unlocks": lambda world: Call(),
    "put_my_auto_unlock": _agree,
    "post_play_episode": lambda world: Call(path={"episode_id": str(world.episodes[FREE])}),
    "post_create_intent": _intent,
    "post_submit_transaction": _submit,
    "get_my_purchase": _bought,
    "post_restore_purchases": _restore,
    "get_my_subscriptions": lambda world: Call(),
    "post_open_checkout": _checkout,
    "post_open_payment": lambda world: Call(path={"intent_id": str(world.intent_at_stripe)}),
    "post_open_portal": _portal,
    "post_webhook": lambda world: Call(
        status=204, path={"provider": "fake"}, body=world.notification()
    ),
    "post_redeem_promo_code": _redeem,
    "post_events": _events,
    "post_fake_checkout": _sale,
    "get_ad_placements": lambda world: [Call(), Call(query={"series_id": str(world.series.id)})],
    "post_open_ad_session": _open_ad,
    "get_ad_session_state": lambda world: Call(path={"session_id": str(world.ad_session.id)}),
    "post_report_impressions": _impressions,
    "get_receive_impression_postback": _postback,
    "get_settle_callback": _watched,
    "get_settle_callback_at_secret_address": _watched_at_a_secret_address,
    "post_fake_ad_view": _view,
    "get_my_tasks": lambda world: Call(query={"locale": "en"}),
    "post_claim_task": _claim,
    "put_my_zone": lambda world: Call(body={"zone": "Asia/Shanghai"}),
    "get_my_invite": lambda world: Call(),
    "post_my_invite": lambda world: [Call(status=201), Call()],
    "post_my_referrer": _referrer,
    "get_support_why": _why,
    "get_support_wallet": lambda world: Call(path={"viewer_id": str(world.viewer.viewer_id)}),
    "get_finance_lots": lambda world: Call(query={"at": "2026-03-14T12:00:00Z"}),
    "get_finance_entries": lambda world: Call(query={"from": "2026-03-14T00:00:00Z"}),
    "get_retention": lambda world: Call(query={"by": "week", "channel": "organic"}),
    "get_paywall_funnel": lambda world: Call(query={"series_id": str(world.series.id)}),
    "get_beats": lambda world: Call(query={"series_id": str(world.series.id)}),
    "get_ltv": lambda world: Call(query={"by": "week", "split": "platform"}),
    "get_arpu": lambda world: Call(query={"by": "month"}),
    "get_repurchase": lambda world: Call(query={"by": "week", "horizon": "3"}),
    "get_rhythm": lambda world: Call(query={"since": "2026-01-01"}),
    "get_steps": lambda world: Call(query={"steps": "app_open,paywall_shown,purchase"}),
    "get_encounters": lambda world: Call(query={"series_id": str(world.series.id)}),
    "get_offer_choice": lambda world: Call(query={"by": "cannibalisation"}),
    "get_survival": lambda world: Call(query={"series_id": str(world.series.id)}),
    "get_heat": lambda world: Call(query={"series_id": str(world.series.id)}),
    "get_money": lambda world: Call(query={"since": "2026-03-01", "until": "2026-03-14"}),
    "get_ads": lambda world: Call(query={"since": "2026-03-01"}),
    "get_charts": lambda world: Call(query={"by": "starts", "length": "3"}),
    "get_quality": lambda world: Call(query={"split": "platform"}),
    "get_dashboard": lambda world: Call(
        query={"metrics": "watch_time,starts", "split": "series_id", "by": "hour"}
    ),
    "get_title_revenue": lambda world: Call(query={"since": "2026-03-01"}),
    "post_exports": _export,
    "get_exports": lambda world: Call(query={"limit": "1"}),
    "get_export": _of_export,
    "delete_export": _of_export,
    "get_export_file": _export_file,
    "get_rankings": lambda world: Call(query={"horizon": "24h"}),
    "get_series_beats": lambda world: Call(path={"external_id": world.series.external_id}),
    "put_series_push": _push,
    "get_poster": _poster,
    "get_video": _video,
    "put_media_upload": _upload,
}


def calls(world: World, operation_id: str) -> list[Call]:
    """The calls of an operation that succeed. Raises KeyError for one that nobody has listed."""
    made = CALLS[operation_id](world)
    return made if isinstance(made, list) else [made]


def later(now: datetime) -> datetime:
    """A moment when tokens and quotes of `now` have expired."""
    return now + timedelta(days=2)
