"""Under /v1/."""

from django.urls import path

from config.public import public
from viewers import views

BOOTSTRAP_SECONDS = 60

urlpatterns = [
    path("config", public(seconds=BOOTSTRAP_SECONDS)(views.BootstrapEndpoint.as_view())),
    path("viewers", views.RegisterGuest.as_view()),
    path("viewers/tokens", views.ExchangeRefreshToken.as_view()),
    path("me", views.MeEndpoint.as_view()),
]
