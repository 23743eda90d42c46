"""Nothing of the admin answers before password and code, whatever URL a caller knows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

NAMESPACE = "admin"
#: Reached by anybody.
SIGN_IN_PAGES = frozenset({"login", "logout"})
#: Reached by staff after their password.
CODE_PAGES = frozenset({"second_factor", "second_factor_enrol"})


class SecondFactorMiddleware:
    """Guards by the resolved view, not by the path, so that no spelling of a URL gets around it.

    Everything in the admin is closed unless it is named above: a page that is added later starts
    out closed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or NAMESPACE not in match.app_names or match.url_name in SIGN_IN_PAGES:
            return None
        if not (request.user.is_active and request.user.is_staff):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if match.url_name in CODE_PAGES or is_through(request):
            return None
        return redirect_to_login(request.get_full_path(), reverse("admin:second_factor"))


def is_through(request: HttpRequest) -> bool:
    """True when this session gave its code, or none is asked for."""
    return not settings.ADMIN_SECOND_FACTOR or request.user.is_verified()  # type: ignore[union-attr]
