from django.urls import path

from ads.views.callbacks import SettleCallback, SettleCallbackAtSecretAddress
from ads.views.invites import MyInvite, MyReferrer
from ads.views.revenue import ReceiveImpressionPostback, ReportImpressions
from ads.views.sessions import AdPlacements, AdSessionState, OpenAdSession
from ads.views.tasks import ClaimTask, MyTasks, MyZone

urlpatterns = [
    path("ads/placements", AdPlacements.as_view()),
    path("ads/sessions", OpenAdSession.as_view()),
    path("ads/sessions/<uuid:session_id>", AdSessionState.as_view()),
    path("ads/impressions", ReportImpressions.as_view()),
    path("ads/postbacks/<slug:network>/<slug:secret>", ReceiveImpressionPostback.as_view()),
    path("tasks", MyTasks.as_view()),
    path("tasks/<slug:code>/claim", ClaimTask.as_view()),
    path("me/zone", MyZone.as_view()),
    path("me/invite", MyInvite.as_view()),
    path("me/referrer", MyReferrer.as_view()),
    path("ssv/<slug:network>", SettleCallback.as_view()),
    path("ssv/<slug:network>/<slug:secret>", SettleCallbackAtSecretAddress.as_view()),
]
