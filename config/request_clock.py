"""Middleware that reads the clock once, before anything else of a request does."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config import api_errors, clock


class RequestClock:
    """Every later `clock.now(request)` gives this moment. A bad X-Clock header ends here, with 400."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            clock.now(request)
        except clock.ClockRefused as refusal:
            return api_errors.plain_response(refusal.code, refusal.title)
        return self.get_response(request)
