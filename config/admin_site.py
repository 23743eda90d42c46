"""The operators' admin: Django's site behind a password and a one-time code."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.sites import UnfoldAdminSite

from config import clock
from config.second_factor import middleware
from config.second_factor.pages import CodePage, EnrolPage, RecoveryCodesPage


class OperatorsSite(UnfoldAdminSite):  # type: ignore[misc]
    """The middleware guards every URL; `has_permission` says the same a second time."""

    index_title = "Today"
    empty_value_display = "–"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and middleware.is_through(request)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("second-factor/", CodePage.as_view(site=self), name="second_factor"),
            path("second-factor/enrol/", EnrolPage.as_view(site=self), name="second_factor_enrol"),
            path(
                "second-factor/recovery-codes/",
                self.admin_view(RecoveryCodesPage.as_view(site=self)),
                name="recovery_codes",
            ),
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """As Django's, but the session ends a fixed time after the password, however busy it is.

        Real time, like the codes: a simulated clock must not keep a session alive.
        """
        answer: HttpResponse = super().login(request, extra_context)
        if request.method == "POST" and request.user.is_authenticated and answer.status_code == 302:
            request.session.set_expiry(
                clock.read() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
            )
        return answer
