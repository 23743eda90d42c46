from django.urls import path

from ads.views.callbacks import SettleCallback, SettleCallbackAtSecretAddress
from ads.views.revenue import ReceiveImpressionPostback, ReportImpressions
from ads.views.sessions import AdPlacements, AdSessionState, OpenAdSession

urlpatterns = [
    path("ads/placements", AdPlacements.as_view()),
    path("ads/sessions", OpenAdSession.as_view()),
    path("ads/sessions/<uuid:session_id>", AdSessionState.as_view()),
    path("ads/impressions", ReportImpressions.as_view()),
    path("ads/postbacks/<slug:network>/<slug:secret>", ReceiveImpressionPostback.as_view()),
    path("ssv/<slug:network>", SettleCallback.as_view()),
    path("ssv/<slug:network>/<slug:secret>", SettleCallbackAtSecretAddress.as_view()),
]
