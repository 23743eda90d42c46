"""The admin's sidebar: what an operator may see, in the order in which it is needed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

#: Group → (model, title, Material symbol).
GROUPS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "Catalog": [
        ("catalog.Series", "Series", "movie"),
        ("catalog.Episode", "Episodes", "video_library"),
        ("catalog.MediaAsset", "Media", "perm_media"),
        ("catalog.AccessChange", "Access changes", "published_with_changes"),
    ],
    "Prices": [
        ("payments.PriceChange", "Price changes", "price_change"),
        ("payments.PricePlan", "Price plans", "sell"),
        ("payments.PlanRule", "Plan rules", "rule"),
        ("payments.PriceException", "Price exceptions", "priority_high"),
        ("payments.Promotion", "Promotions", "campaign"),
        ("payments.AcquisitionLink", "Acquisition links", "add_link"),
        ("payments.CoinPack", "Coin packs", "toll"),
        ("payments.PassProduct", "Passes", "card_membership"),
        ("payments.StoreTerms", "Store terms", "percent"),
        ("payments.Offer", "Offers", "local_offer"),
        ("payments.PaywallPlacement", "Paywall placements", "web_asset"),
        ("payments.OfferPolicy", "Offer policies", "alt_route"),
        ("payments.OfferDecision", "Offer decisions", "fork_right"),
        ("payments.PromoCode", "Promo codes", "confirmation_number"),
        ("payments.PromoBatch", "Promo batches", "stacks"),
        ("viewers.Experiment", "Experiments", "science"),
        ("viewers.Layer", "Layers", "layers"),
    ],
    "Money": [
        ("payments.Wallet", "Wallets", "account_balance_wallet"),
        ("payments.Purchase", "Purchases", "shopping_cart"),
        ("payments.PurchaseIntent", "Purchase intents", "pending_actions"),
        ("payments.PassPurchase", "Passes bought", "confirmation_number"),
        ("payments.PassIntent", "Pass intents", "pending_actions"),
        ("payments.OfferClaim", "Offer claims", "shopping_bag"),
        ("payments.PromoRedemption", "Promo redemptions", "card_giftcard"),
        ("payments.Unlock", "Unlocks", "lock_open"),
        ("payments.AutoUnlockConsent", "Auto-unlock consents", "touch_app"),
        ("payments.Entitlement", "Entitlements", "key"),
        ("payments.Grant", "Grants", "redeem"),
        ("payments.Refund", "Refunds", "undo"),
        ("payments.Transfer", "Transfers", "swap_horiz"),
        ("payments.Entry", "Entries", "receipt_long"),
        ("payments.Lot", "Lots", "savings"),
        ("payments.MoneyDay", "Days", "calendar_month"),
        ("payments.LedgerDigest", "Digests", "fingerprint"),
    ],
    "Stores": [
        ("payments.StoreMessage", "Store messages", "mail"),
        ("payments.StoreCall", "Store calls", "outgoing_mail"),
        ("payments.StoreHistory", "Store histories", "history_toggle_off"),
        ("payments.Subscription", "Subscriptions", "autorenew"),
        ("payments.RefusedClaim", "Refused claims", "gpp_bad"),
        ("payments.Difference", "Differences", "difference"),
        ("payments.Reconciliation", "Reconciliations", "balance"),
        ("payments.FeeAdjustment", "Fee adjustments", "price_check"),
        ("payments.StoreReport", "Store reports", "upload_file"),
        ("payments.ExchangeRate", "Exchange rates", "currency_exchange"),
    ],
    "Ads": [
        ("ads.Placement", "Placements", "smart_display"),
        ("ads.AdSession", "Ad sessions", "hourglass_top"),
        ("ads.Reward", "Rewards", "redeem"),
        ("ads.Goal", "Ad goals", "flag"),
        ("ads.Callback", "Callbacks", "call_received"),
        ("ads.ParkedCallback", "Parked callbacks", "local_parking"),
        ("ads.VerifierKeys", "Verifier keys", "vpn_key"),
        ("ads.RevenueDay", "Ad revenue", "monetization_on"),
        ("ads.TrueUp", "True-ups", "balance"),
        ("ads.RevenueReport", "Ad reports", "upload_file"),
        ("ads.ReportPull", "Fetched ad reports", "cloud_download"),
        ("ads.Impression", "Impressions", "visibility"),
        ("analytics.AdAlarm", "Ad alarms", "crisis_alert"),
    ],
    "Growth": [
        ("ads.Task", "Tasks", "task_alt"),
        ("ads.TaskCampaign", "Campaigns of tasks", "savings"),
        ("ads.TaskClaim", "Claims", "redeem"),
        ("ads.Referral", "Referrals", "group_add"),
    ],
    "Viewers": [
        ("viewers.Viewer", "Viewers", "group"),
        ("viewers.Flag", "Flags", "flag"),
        ("catalog.FeedDecision", "Feed decisions", "view_carousel"),
    ],
    "Analytics": [
        ("analytics.EventBatch", "Inbox health", "inbox"),
        ("analytics.QuarantinedEvent", "Quarantined events", "report"),
        ("analytics.Flush", "Flushes", "water"),
        ("analytics.LakeFile", "Lake files", "database"),
        ("analytics.RollupHour", "Rollup hours", "grid_on"),
        ("analytics.RollupDifference", "Rollup differences", "difference"),
        ("analytics.HistoryImport", "Imports of the past", "history"),
        ("analytics.RefusedLine", "Refused lines", "rule"),
        ("analytics.Export", "Exports", "download"),
    ],
    "Access": [
        ("viewers.ApiKey", "API keys", "vpn_key"),
        ("auth.User", "Operators", "badge"),
        ("auth.Group", "Roles", "shield_person"),
        ("admin.LogEntry", "Audit trail", "history"),
    ],
}


#: Group → pages that are no list of a model: (URL name, permission, title, Material symbol).
PAGES: Mapping[str, Sequence[tuple[str, str, str, str]]] = {
    "Prices": [
        (
            "payments_priceplan_compliance",
            "payments.view_priceplan",
            "Owed to viewers",
            "verified_user",
        ),
    ],
    "Money": [
        (
            "payments_entitlement_why",
            "payments.view_entitlement",
            "Why may they watch?",
            "help",
        ),
    ],
    "Analytics": [
        (
            "analytics_rolluphour_dashboards",
            "analytics.view_rolluphour",
            "Dashboards",
            "bar_chart",
        ),
    ],
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the sidebar with the pages that this operator may open."""
    home = {"title": "Today", "icon": "monitoring", "link": reverse("admin:index")}
    groups = [
        {
            "title": title,
            "separator": True,
            "items": [*_items(request, pages), *_pages(request, title)],
        }
        for title, pages in GROUPS.items()
    ]
    return [{"title": None, "items": [home]}, *(group for group in groups if group["items"])]


def mode_label(request: HttpRequest) -> list[str] | None:
    """A label beside the page's title wherever no real money is at stake."""
    return None if settings.PRODUCTION else [settings.MODE.capitalize(), "warning"]


def _pages(request: HttpRequest, group: str) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(f"admin:{name}")}
        for name, permission, title, icon in PAGES.get(group, ())
        if request.user.has_perm(permission)
    ]


def _items(request: HttpRequest, pages: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    items = []
    for label, title, icon in pages:
        model = apps.get_model(label)
        if not admin.site.is_registered(model):
            continue
        if admin.site.get_model_admin(model).has_view_permission(request):
            url = reverse(f"admin:{label.lower().replace('.', '_')}_changelist")
            items.append({"title": title, "icon": icon, "link": url})
    return items
