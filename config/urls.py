"""Every URL of the service."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from ads.views.fake_network import FakeAdView
from config import celery, health
from payments.views.fake_store import FakeCheckout

# Views ring for tasks, which find the queue by the application having been made.
celery.app.set_default()

handler400 = "config.api_errors.bad_request"
handler404 = "config.api_errors.page_not_found"
handler500 = "config.api_errors.server_error"

urlpatterns = [
    path("v1/", include("viewers.urls")),
    path("v1/", include("catalog.urls")),
    path("v1/", include("payments.urls")),
    path("v1/", include("ads.urls")),
    path("v1/", include("analytics.urls")),
    path("", include("catalog.media_urls")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("livez", health.livez),
    path("readyz", health.readyz),
    # Not by the framework: its answer to OPTIONS is an error where a page is asked for.
    path("schema", require_safe(SpectacularAPIView.as_view()), name="schema"),
    path("docs", require_safe(SpectacularSwaggerView.as_view(url_name="schema"))),
]
if settings.FAKE_STORE:
    urlpatterns.append(path("fake-store/transactions", FakeCheckout.as_view()))
if settings.FAKE_AD_NETWORK:
    urlpatterns.append(path("fake-ads/views", FakeAdView.as_view()))
