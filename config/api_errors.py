"""The one table from problem code to HTTP status, and the handlers that answer by it."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied, TooManyFieldsSent
from django.db import Error, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from psycopg.errors import (
    DeadlockDetected,
    ForeignKeyViolation,
    LockNotAvailable,
    SerializationFailure,
)
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from config.problems import NotFound, Problem

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

STATUS: Mapping[str, HTTPStatus] = {
    # What any endpoint may say
    "malformed_body": HTTPStatus.BAD_REQUEST,
    "bad_parameter": HTTPStatus.BAD_REQUEST,
    "clock_refused": HTTPStatus.BAD_REQUEST,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "length_required": HTTPStatus.LENGTH_REQUIRED,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "not_authenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "busy": HTTPStatus.CONFLICT,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    # Viewers
    "token_invalid": HTTPStatus.UNAUTHORIZED,
    "token_expired": HTTPStatus.UNAUTHORIZED,
    "refresh_token_invalid": HTTPStatus.UNAUTHORIZED,
    "refresh_token_reused": HTTPStatus.UNAUTHORIZED,
    "api_key_invalid": HTTPStatus.UNAUTHORIZED,
    "scope_missing": HTTPStatus.FORBIDDEN,
    # Catalog
    "cursor_invalid": HTTPStatus.BAD_REQUEST,
    "series_invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "media_missing": HTTPStatus.UNPROCESSABLE_ENTITY,
    "media_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "playback_refused": HTTPStatus.FORBIDDEN,
    "decision_unknown": HTTPStatus.NOT_FOUND,
    "series_unavailable": HTTPStatus.NOT_FOUND,
    "favorites_full": HTTPStatus.CONFLICT,
    # Money
    "idempotency_key_invalid": HTTPStatus.BAD_REQUEST,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "link_unknown": HTTPStatus.NOT_FOUND,
    "insufficient_coins": HTTPStatus.PAYMENT_REQUIRED,
    "wallet_on_hold": HTTPStatus.LOCKED,
    "span_reversed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "quote_invalid": HTTPStatus.CONFLICT,
    "quote_expired": HTTPStatus.CONFLICT,
    "nothing_to_unlock": HTTPStatus.CONFLICT,
    "spend_confirmation_needed": HTTPStatus.CONFLICT,
    "auto_unlock_terms_missing": HTTPStatus.UNPROCESSABLE_ENTITY,
    "auto_unlock_off": HTTPStatus.CONFLICT,
    "auto_unlock_price_rose": HTTPStatus.CONFLICT,
    "auto_unlock_cap_reached": HTTPStatus.CONFLICT,
    "auto_unlock_stopped": HTTPStatus.CONFLICT,
    "undo_refused": HTTPStatus.CONFLICT,
    "episode_locked": HTTPStatus.PAYMENT_REQUIRED,
    "episode_unavailable": HTTPStatus.NOT_FOUND,
    "episode_ads_only": HTTPStatus.CONFLICT,
    "transaction_invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "payment_failed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_many_submissions": HTTPStatus.TOO_MANY_REQUESTS,
    "store_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "transaction_of_another_viewer": HTTPStatus.CONFLICT,
    "message_malformed": HTTPStatus.BAD_REQUEST,
    "message_forged": HTTPStatus.FORBIDDEN,
    "message_foreign": HTTPStatus.TOO_MANY_REQUESTS,
    "signatures_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "checkout_refused": HTTPStatus.CONFLICT,
    "not_by_page": HTTPStatus.CONFLICT,
    "not_its_buyer": HTTPStatus.FORBIDDEN,
    "renews_by_checkout": HTTPStatus.CONFLICT,
    "product_unknown": HTTPStatus.UNPROCESSABLE_ENTITY,
    "product_ambiguous": HTTPStatus.UNPROCESSABLE_ENTITY,
    "covered_too_far": HTTPStatus.CONFLICT,
    "offer_unknown": HTTPStatus.UNPROCESSABLE_ENTITY,
    "offer_not_yet": HTTPStatus.CONFLICT,
    "offer_over": HTTPStatus.CONFLICT,
    "offer_sold_out": HTTPStatus.CONFLICT,
    "offer_used": HTTPStatus.CONFLICT,
    "promo_code_unknown": HTTPStatus.UNPROCESSABLE_ENTITY,
    "promo_code_over": HTTPStatus.CONFLICT,
    "promo_code_used_up": HTTPStatus.CONFLICT,
    "too_many_attempts": HTTPStatus.TOO_MANY_REQUESTS,
    "provider_unknown": HTTPStatus.NOT_FOUND,
    # Ads
    "placement_unknown": HTTPStatus.UNPROCESSABLE_ENTITY,
    "episode_not_locked": HTTPStatus.CONFLICT,
    "ads_not_here": HTTPStatus.CONFLICT,
    "ad_target_wrong": HTTPStatus.UNPROCESSABLE_ENTITY,
    "ad_session_elsewhere": HTTPStatus.CONFLICT,
    "ad_cap_reached": HTTPStatus.TOO_MANY_REQUESTS,
    "ad_cooling_down": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_impressions": HTTPStatus.TOO_MANY_REQUESTS,
    "ad_accounts_crowded": HTTPStatus.TOO_MANY_REQUESTS,
    "network_unknown": HTTPStatus.NOT_FOUND,
    "callback_malformed": HTTPStatus.BAD_REQUEST,
    "callback_forged": HTTPStatus.FORBIDDEN,
    "callback_implausible": HTTPStatus.FORBIDDEN,
    "verifier_key_unknown": HTTPStatus.FORBIDDEN,
    "verifier_keys_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    # Tasks and invitations
    "task_unknown": HTTPStatus.NOT_FOUND,
    "task_not_reached": HTTPStatus.CONFLICT,
    "task_period_over": HTTPStatus.CONFLICT,
    "task_budget_spent": HTTPStatus.CONFLICT,
    "task_withheld": HTTPStatus.CONFLICT,
    "check_in_not_yet": HTTPStatus.TOO_MANY_REQUESTS,
    "zone_unknown": HTTPStatus.UNPROCESSABLE_ENTITY,
    "zone_set_before": HTTPStatus.TOO_MANY_REQUESTS,
    "referrals_off": HTTPStatus.CONFLICT,
    "invite_unknown": HTTPStatus.UNPROCESSABLE_ENTITY,
    "referral_too_late": HTTPStatus.CONFLICT,
    "referred_by_another": HTTPStatus.CONFLICT,
    "referral_refused": HTTPStatus.CONFLICT,
    # Events
    "batch_id_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "catalogue_unknown": HTTPStatus.CONFLICT,
    "events_busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "events_inbox_full": HTTPStatus.SERVICE_UNAVAILABLE,
    # Reports
    "ranking_unavailable": HTTPStatus.NOT_FOUND,
    "report_impossible": HTTPStatus.UNPROCESSABLE_ENTITY,
    "export_question_invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_many_exports": HTTPStatus.TOO_MANY_REQUESTS,
    "export_link_refused": HTTPStatus.FORBIDDEN,
    "export_gone": HTTPStatus.GONE,
}


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The REST framework's exception handler: every expected failure becomes a problem."""
    answer = _answer(error)
    if answer is not None:
        set_rollback()
    return answer


def _answer(error: Exception) -> Response | None:
    if isinstance(error, Problem):
        challenge = {"WWW-Authenticate": "Bearer"} if STATUS[error.code] == 401 else {}
        return _response(error.code, error.members(), challenge | dict(error.headers))
    if isinstance(error, Http404):
        return _response(NotFound.code, NotFound().members())
    if isinstance(error, TooManyFieldsSent):
        return _response(
            "bad_parameter", _members("bad_parameter", "There are too many parameters")
        )
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return _response("forbidden", _members("forbidden", "The caller may not do this"))
    if isinstance(error, exceptions.APIException):
        return _framework_response(error)
    if isinstance(error, Error):
        return _database_response(error)
    return None


def _framework_response(error: exceptions.APIException) -> Response:
    code = {
        HTTPStatus.UNAUTHORIZED: "not_authenticated",
        HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    }.get(HTTPStatus(error.status_code), "malformed_body")
    headers = {"WWW-Authenticate": "Bearer"} if code == "not_authenticated" else {}
    return _response(code, _members(code, str(error.detail)), headers)


def _database_response(error: Error) -> Response | None:
    """A lock held too long is the caller's to retry; a database that is away is ours to mend."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected | SerializationFailure):
        title = "Another request holds this; try again in a moment"
        return _response("busy", _members("busy", title), retry)
    if isinstance(error.__cause__, ForeignKeyViolation) and _is_about_the_viewer(error.__cause__):
        # Access tokens are believed without a read: this one outlived its viewer.
        title = "The viewer of this token is no longer here; register again"
        return _response("token_invalid", _members("token_invalid", title))
    if isinstance(error, OperationalError):
        logger.error("database unavailable", exc_info=error)
        title = "A part of the service is restarting; try again"
        return _response("unavailable", _members("unavailable", title), retry)
    return None


def _is_about_the_viewer(violation: ForeignKeyViolation) -> bool:
    return "viewer_id" in (violation.diag.constraint_name or "")


def _members(code: str, title: str) -> dict[str, object]:
    return {"type": "about:blank", "title": title, "code": code}


def _response(
    code: str, members: dict[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    status = STATUS[code]
    return Response(
        members | {"status": int(status)}, status=status, headers=headers, content_type=CONTENT_TYPE
    )


def plain_response(
    code: str, title: str, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """The same problem outside the REST framework: of the URL router (404 and 500) and of middleware."""
    status = STATUS[code]
    body = msgspec.json.encode(_members(code, title) | {"status": int(status)})
    return HttpResponse(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a problem for the API, Django's page elsewhere."""
    if request.path.startswith("/admin/"):
        return defaults.page_not_found(request, exception)
    return plain_response(NotFound.code, NotFound.title)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: hosts that are not ours, malformed headers."""
    return plain_response("bad_parameter", "The request is malformed")


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: says nothing of the cause; the log has it."""
    if request.path.startswith("/admin/"):
        return defaults.server_error(request)
    return plain_response("internal_error", "Something failed on our side; ask again in a moment")
