"""Who may call what: every operation against every kind of credential.

A new operation belongs to no class and fails here until it is given one.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from analytics.models import Export
from config import seals
from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import World, calls
from tests.factories.viewers import clock_headers, viewer_headers
from tests.hostile.sending import address, complaint, everything, send, shown
from tests.proof import Proof
from viewers import api_keys
from viewers.models import ApiKey, Scope

Class = Literal["anyone", "viewers", "readers", "writers", "analysts", "support", "accountants"]

#: Whom each operation is for. All but viewers are machines, by the scope of their key.
CLASSES: Mapping[str, Class] = {
    "get_bootstrap": "anyone",
    "get_series_list": "anyone",
    "get_series": "anyone",
    "get_episodes": "anyone",
    "post_register_guest": "anyone",
    "post_exchange_refresh_token": "anyone",
    "post_fake_checkout": "anyone",
    "get_poster": "anyone",
    "get_video": "anyone",
    "get_settle_callback": "anyone",
    "post_webhook": "anyone",
    "get_settle_callback_at_secret_address": "anyone",
    "post_fake_ad_view": "anyone",
    "get_receive_impression_postback": "anyone",
    "post_report_impressions": "viewers",
    "get_me": "viewers",
    "patch_me": "viewers",
    "get_my_wallet": "viewers",
    "get_my_statement": "viewers",
    "get_my_passes": "viewers",
    "get_offers": "viewers",
    "get_passes": "viewers",
    "get_series_paywall": "viewers",
    "get_placement_config": "viewers",
    "post_my_arrival": "viewers",
    "get_feed": "viewers",
    "get_my_history": "viewers",
    "put_my_history": "viewers",
    "get_my_favorites": "viewers",
    "put_my_favorites": "viewers",
    "get_ad_placements": "viewers",
    "post_open_ad_session": "viewers",
    "get_ad_session_state": "viewers",
    "get_my_tasks": "viewers",
    "post_claim_task": "viewers",
    "put_my_zone": "viewers",
    "get_my_invite": "viewers",
    "post_my_invite": "viewers",
    "post_my_referrer": "viewers",
    "post_unlock_episode": "viewers",
    "post_unlock_series": "viewers",
    "post_auto_unlock_episode": "viewers",
    "post_undo_unlock": "viewers",
    "get_my_auto_unlocks": "viewers",
    "put_my_auto_unlock": "viewers",
    "post_play_episode": "viewers",
    "post_create_intent": "viewers",
    "post_redeem_promo_code": "viewers",
    "post_submit_transaction": "viewers",
    "get_my_purchase": "viewers",
    "post_restore_purchases": "viewers",
    "get_my_subscriptions": "viewers",
    "post_open_checkout": "viewers",
    "post_open_payment": "viewers",
    "post_open_portal": "viewers",
    "post_events": "viewers",
    "get_rankings": "readers",
    "get_series_beats": "readers",
    "get_retention": "analysts",
    "get_paywall_funnel": "analysts",
    "get_beats": "analysts",
    "get_title_revenue": "analysts",
    "get_ltv": "analysts",
    "get_arpu": "analysts",
    "get_repurchase": "analysts",
    "get_rhythm": "analysts",
    "get_steps": "analysts",
    "get_encounters": "analysts",
    "get_offer_choice": "analysts",
    "get_survival": "analysts",
    "get_heat": "analysts",
    "get_money": "analysts",
    "get_ads": "analysts",
    "get_charts": "analysts",
    "get_quality": "analysts",
    "get_dashboard": "analysts",
    "post_exports": "analysts",
    "get_exports": "analysts",
    "get_export": "analysts",
    "delete_export": "analysts",
    "get_export_file": "anyone",
    "get_expiry_notices": "support",
    "get_support_why": "support",
    "get_support_wallet": "support",
    "get_finance_lots": "accountants",
    "get_finance_entries": "accountants",
    "put_series_push": "writers",
    "put_media_upload": "writers",
}


def _bearer(plaintext: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {plaintext}"}


def _key(world: World, *scopes: Scope) -> dict[str, str]:
    _, plaintext = api_keys.issue(name="matrix", scopes=scopes, now=world.now)
    ApiKey.objects.update(last_used_at=world.now)
    return _bearer(plaintext)


def _analyst(world: World) -> dict[str, str]:
    """Whose the world's export is: nobody else finds it."""
    headers = _key(world, Scope.ANALYTICS_READ)
    Export.objects.filter(id=world.export.id).update(api_key=ApiKey.objects.latest("id"))
    world.export.refresh_from_db()
    return headers


def _revoked(world: World) -> dict[str, str]:
    key, plaintext = api_keys.issue(name="matrix", scopes=list(Scope), now=world.now)
    api_keys.revoke(key=key, now=world.now)
    return _bearer(plaintext)


def _expired_key(world: World) -> dict[str, str]:
    _, plaintext = api_keys.issue(
        name="matrix",
        scopes=list(Scope),
        now=world.now - timedelta(days=2),
        expires_at=world.now - timedelta(days=1),
    )
    return _bearer(plaintext)


def _viewer(world: World, *, ago: timedelta = timedelta()) -> dict[str, str]:
    headers = viewer_headers(world.viewer, now=world.now - ago)
    return {"Authorization": headers["Authorization"]}


def _cut(world: World) -> dict[str, str]:
    return {"Authorization": _viewer(world)["Authorization"][:-1]}


#: Kinds of callers, and what each is told by operations that are for others. None: they may call.
CALLERS: Mapping[str, Callable[[World], dict[str, str]]] = {
    "nobody": lambda world: {},
    "a viewer": _viewer,
    "a viewer an hour late": lambda world: _viewer(world, ago=timedelta(hours=1)),
    "a viewer of tomorrow": lambda world: _viewer(world, ago=-timedelta(days=1)),
    "a viewer with a token cut short": _cut,
    "a viewer with a refresh token": lambda world: _bearer(world.refresh_token),
    "a viewer with a quote": lambda world: _bearer(world.quote),
    "a reader": lambda world: _key(world, Scope.PIPELINE_READ),
    "a writer": lambda world: _key(world, Scope.PIPELINE_WRITE),
    "an analyst": _analyst,
    "a support tool": lambda world: _key(world, Scope.SUPPORT_READ),
    "an accountant": lambda world: _key(world, Scope.FINANCE_READ),
    "a writer whose key is revoked": _revoked,
    "a writer whose key has expired": _expired_key,
    "garbage": lambda world: _bearer("garbage"),
    "a sealed text": lambda world: _bearer(seals.seal("access", b"{}")),
    "another scheme": lambda world: {"Authorization": "Basic YTpi"},
}
TOLD_BY_VIEWERS_OPERATIONS: Mapping[str, str | None] = {
    "nobody": "not_authenticated",
    "a viewer": None,
    "a viewer an hour late": "token_expired",
    "another scheme": "not_authenticated",
}
MACHINES: Mapping[Class, str] = {
    "readers": "a reader",
    "writers": "a writer",
    "analysts": "an analyst",
    "support": "a support tool",
    "accountants": "an accountant",
}
TOLD_BY_OPERATIONS_OF_MACHINES: Mapping[str, str | None] = {
    **dict.fromkeys(MACHINES.values(), "scope_missing"),
    "nobody": "not_authenticated",
    "another scheme": "not_authenticated",
}


def _told(group: Class, caller: str) -> str | None:
    """The code that a caller is refused with, or None when they may call."""
    if group == "anyone":
        return None
    if group == "viewers":
        return TOLD_BY_VIEWERS_OPERATIONS.get(caller, "token_invalid")
    if caller == MACHINES[group]:
        return None
    return TOLD_BY_OPERATIONS_OF_MACHINES.get(caller, "api_key_invalid")


def _routes(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += _routes(pattern.url_patterns, route)
        else:
            found.append(route)
    return found


def test_every_address_of_the_api_is_documented() -> None:
    routes = {route for route in _routes(get_resolver().url_patterns) if route.startswith("/v1")}
    documented = {operation.path for operation in document.versioned()}

    plain = {_without_converters(route) for route in routes}
    assert plain == documented


def test_every_operation_has_a_class() -> None:
    assert {operation.name for operation in document.operations()} == set(CLASSES)


@pytest.mark.matrix(2)
@pytest.mark.parametrize("operation", document.operations(), ids=str)
def test_every_caller_is_let_in_or_told_why_not(
    operation: Operation, world: World, stranger: Client, proof: Proof
) -> None:
    group, wrong = CLASSES[operation.name], []
    credentials = {caller: make(world) for caller, make in CALLERS.items()}
    before = everything()

    for caller, headers in credentials.items():
        code = _told(group, caller)
        if code is not None:
            wrong += _refusal_faults(stranger, operation, world, headers, caller, code)
    assert everything() == before
    for caller, headers in credentials.items():
        if _told(group, caller) is None:
            wrong += _success_faults(stranger, operation, world, headers, caller)

    assert wrong == []
    proof.count = len(CALLERS)
    proof.record("P17", f"{operation}, every kind of caller", violations=0)


def _refusal_faults(
    client: Client,
    operation: Operation,
    world: World,
    headers: dict[str, str],
    caller: str,
    code: str,
) -> list[str]:
    response = _call(client, operation, world, headers)
    if complaint(response, codes={code}):
        return [f"{caller}: {shown(response)}"]
    if response.headers.get("Cache-Control") != "no-store":
        return [f"{caller}: a cache may keep this refusal"]
    if response.status_code == 401 and response.headers.get("WWW-Authenticate") != "Bearer":
        return [f"{caller}: 401 without a challenge"]
    return []


def _success_faults(
    client: Client, operation: Operation, world: World, headers: dict[str, str], caller: str
) -> list[str]:
    response = _call(client, operation, world, headers)
    if response.status_code not in operation.success_statuses:
        return [f"{caller}: {shown(response)}"]
    return []


def _call(
    client: Client, operation: Operation, world: World, headers: dict[str, str]
) -> HttpResponse:
    call = calls(world, operation.name)[0]
    body, content_type = call.wire()
    return send(
        client,
        operation,
        address(operation, call.path, call.query),
        body=body,
        content_type=content_type,
        headers=headers | clock_headers(world.now),
    )


def _without_converters(route: str) -> str:
    """`/v1/series/<uuid:series_id>` as the document writes it: `/v1/series/{series_id}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
