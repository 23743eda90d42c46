from django.urls import path

from payments.views.expiry_notices import ExpiryNotices
from payments.views.finance import FinanceEntries, FinanceLots
from payments.views.paywall import PlayEpisode, SeriesPaywall, UnlockEpisode
from payments.views.placements import MyArrival, PlacementConfig
from payments.views.promo_codes import RedeemPromoCode
from payments.views.purchases import CreateIntent, MyPurchase, SubmitTransaction
from payments.views.subscriptions import (
    MySubscriptions,
    OpenCheckout,
    OpenPayment,
    OpenPortal,
    RestorePurchases,
)
from payments.views.support import SupportWallet, SupportWhy
from payments.views.wallet import MyPasses, MyStatement, MyWallet, Offers, Passes
from payments.views.ways import (
    AutoUnlockEpisode,
    MyAutoUnlock,
    MyAutoUnlocks,
    UndoUnlock,
    UnlockSeries,
)
from payments.views.webhooks import Webhook

urlpatterns = [
    path("series/<uuid:series_id>/paywall", SeriesPaywall.as_view()),
    path("series/<uuid:series_id>/unlock", UnlockSeries.as_view()),
    path("episodes/<uuid:episode_id>/unlock", UnlockEpisode.as_view()),
    path("episodes/<uuid:episode_id>/auto-unlock", AutoUnlockEpisode.as_view()),
    path("unlocks/<uuid:unlock_id>/undo", UndoUnlock.as_view()),
    path("episodes/<uuid:episode_id>/play", PlayEpisode.as_view()),
    path("me/wallet", MyWallet.as_view()),
    path("me/wallet/entries", MyStatement.as_view()),
    path("me/arrivals", MyArrival.as_view()),
    path("placements/<slug:code>", PlacementConfig.as_view()),
    path("me/passes", MyPasses.as_view()),
    path("me/subscriptions", MySubscriptions.as_view()),
    path("me/subscriptions/<uuid:subscription_id>/portal", OpenPortal.as_view()),
    path("me/auto-unlock", MyAutoUnlocks.as_view()),
    path("me/auto-unlock/<uuid:series_id>", MyAutoUnlock.as_view()),
    path("offers", Offers.as_view()),
    path("passes", Passes.as_view()),
    path("purchases/intents", CreateIntent.as_view()),
    path("purchases/intents/<uuid:intent_id>/checkout", OpenCheckout.as_view()),
    path("purchases/intents/<uuid:intent_id>/payment", OpenPayment.as_view()),
    path("purchases/restore", RestorePurchases.as_view()),
    path("purchases/<uuid:purchase_id>", MyPurchase.as_view()),
    path("purchases/<slug:provider>", SubmitTransaction.as_view()),
    path("webhooks/<slug:provider>", Webhook.as_view()),
    path("promo-codes/redeem", RedeemPromoCode.as_view()),
    path("support/expiry-notices", ExpiryNotices.as_view()),
    path("support/why", SupportWhy.as_view()),
    path("support/viewers/<uuid:viewer_id>/wallet", SupportWallet.as_view()),
    path("finance/lots", FinanceLots.as_view()),
    path("finance/entries", FinanceEntries.as_view()),
]
