"""What stores said, what they are told, and how far their histories were read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, search_exactly
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.noted import Noted
from payments.messages import outbox, reading, settling
from payments.models import (
    CallState,
    CallVerb,
    MessageState,
    PassPurchase,
    Provider,
    Purchase,
    Refund,
    StoreCall,
    StoreHistory,
    StoreMessage,
    Subscription,
    SubscriptionChange,
)
from viewers.models import Environment

SHOWN_CHANGES = 50
SHOWN_TYPES = 200
CHOSEN_AT_ONCE = 500

#: From one type to the next by the index, however many messages there are.
_TYPES = """
    WITH RECURSIVE found AS (
        (SELECT type FROM payments_storemessage ORDER BY type LIMIT 1)
        UNION ALL
        SELECT (SELECT type FROM payments_storemessage WHERE type > found.type ORDER BY type LIMIT 1)
        FROM found WHERE found.type IS NOT NULL
    )
    SELECT type FROM found WHERE type IS NOT NULL LIMIT %s
"""
_TAGS = {
    MessageState.WAITING: "ch-tag ch-tag-ahead",
    MessageState.APPLIED: "ch-tag ch-tag-on",
    CallState.DONE: "ch-tag ch-tag-on",
}


class TypeFilter(DropdownFilter):  # type: ignore[misc]
    """By the store's word for it, of those that have come."""

    title = "type"
    parameter_name = "type__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(_TYPES, [SHOWN_TYPES])
            return [(found, found) for (found,) in cursor.fetchall()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(type=self.value()) if self.value() else queryset


class Again:
    """In front of a ModelAdmin: rows that are chosen are tried again, once somebody has confirmed it."""

    def confirmed(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        *,
        action: str,
        question: str,
        retry: Callable[..., int],
        said: str,
    ) -> HttpResponse | None:
        """Asks first, in the admin's own way: the same action, posted again with `confirm`."""
        rows = list(queryset.order_by("-id")[:CHOSEN_AT_ONCE])
        if "confirm" not in request.POST:
            return self._ask(request, rows, action, question)
        with transaction.atomic():
            number = retry([row.id for row in rows], now=clock.now(request))
            for row in rows:
                self.log_change(request, row, said)  # type: ignore[attr-defined]
        if number:
            messages.success(request, f"{number:,} of {len(rows):,} are due again.")
        else:
            messages.warning(request, "Nothing of it waits for anybody: none is due again.")
        return None

    def _ask(
        self, request: HttpRequest, rows: Sequence[Any], action: str, question: str
    ) -> HttpResponse:
        site, opts = self.admin_site, self.opts  # type: ignore[attr-defined]
        context = {
            **site.each_context(request),
            "title": question,
            "opts": opts,
            "rows": rows,
            "action": action,
        }
        return TemplateResponse(request, "admin/payments/again.html", context)


@admin.register(StoreMessage)
class StoreMessageAdmin(Again, Noted, OfViewer, Explained, ReadOnlyAdmin):
    """The inbox. A message is kept as it came; it can be applied again, or be said to have been seen."""

    actions = ("replay", "see")
    list_display = (
        "received_at",
        "provider",
        "type",
        "standing",
        "short_subject",
        "attempts",
        "arrived_by",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        TypeFilter,
        ("environment", ChoicesDropdownFilter),
        ("arrived_by", ChoicesDropdownFilter),
        ("received_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "subject")
    search_help_text = (
        "A store's name of a transaction, a subscription or the message, or a message id"
    )
    fieldsets = (
        (None, {"fields": ("id", "provider", "environment", "type", "standing", "why", "code")}),
        (
            "Source",
            {"fields": ("arrived_by", "whole_viewer_link", "event_id", "subject", "kept_headers")},
        ),
        (
            "When",
            {
                "fields": (
                    ("occurred_at", "received_at", "applied_at"),
                    ("attempts", "next_attempt_at"),
                )
            },
        ),
        ("Body", {"fields": ("readable",)}),
    )
    readonly_fields = ("whole_viewer_link", "standing", "why", "kept_headers", "readable")
    change_form_template = "admin/payments/storemessage/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StoreMessage]:
        """A list needs no bodies."""
        queryset: QuerySet[StoreMessage] = super().get_queryset(request)
        match = request.resolver_match
        if match is not None and str(match.url_name).endswith("changelist"):
            return queryset.defer("body", "headers", "facts")
        return queryset

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A message's own name is looked up in every store, as the index is ordered."""
        by_name = Q(
            provider__in=Provider.values,
            environment__in=Environment.values,
            event_id=search_term.strip().replace("\x00", ""),
        )
        return search_exactly(queryset, self.exact_search_fields, search_term, by_name), False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_storemessage")

    @admin.action(description="Replay: apply again", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[StoreMessage]) -> HttpResponse | None:
        """What was parked or of an unknown type is applied by the next sweep."""
        return self.confirmed(
            request,
            queryset,
            action="replay",
            question="Apply these messages again?",
            retry=settling.replay,
            said="Replayed.",
        )

    @admin.action(description="Seen: with a note", permissions=["replay"])
    def see(self, request: HttpRequest, queryset: QuerySet[StoreMessage]) -> HttpResponse | None:
        """Somebody has looked at what was not applied, and says what came of it. It rings no more."""
        return self.noted(
            request,
            queryset,
            see=lambda ids, _: settling.see(ids),
            consequence="The first page rings no more for these. They stay as they are, and can be replayed.",
        )

    def beside(self, request: HttpRequest, row: StoreMessage) -> Mapping[str, Any]:
        return {"facts": [_fact(one) for one in row.facts], "changed": _changed(row)}

    def owner_id(self, row: StoreMessage) -> Any:
        return row.submitted_by_id

    @admin.display(description="State")
    def standing(self, message: StoreMessage) -> SafeString:
        return _tag(MessageState(message.state))

    @admin.display(description="About")
    def short_subject(self, message: StoreMessage) -> str:
        return _short(message.subject)

    @admin.display(description="Why not")
    def why(self, message: StoreMessage) -> str:
        return message.reason or "–"

    @admin.display(description="Headers")
    def kept_headers(self, message: StoreMessage) -> SafeString:
        shown = reading.headers(message.headers)
        text = "\n".join(f"{name}: {value}" for name, value in shown.items()) or "none"
        return format_html('<pre class="ch-raw">{}</pre>', text)

    @admin.display(description="Decoded, not verified again")
    def readable(self, message: StoreMessage) -> SafeString:
        return format_html('<pre class="ch-raw">{}</pre>', reading.body(bytes(message.body)))


@admin.register(StoreCall)
class StoreCallAdmin(Again, ReadOnlyAdmin):
    """The outbox: what stores wait to hear."""

    actions = ("tell_again",)
    list_display = (
        "created_at",
        "provider",
        "verb",
        "standing",
        "short_subject",
        "attempts",
        "deadline_at",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("verb", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "subject")
    search_help_text = "A store's name of a transaction, a subscription or a question, or a call id"
    fields = (
        "id",
        ("provider", "environment"),
        "verb",
        "subject",
        "standing",
        "reason",
        ("attempts", "next_attempt_at", "deadline_at"),
        ("created_at", "done_at"),
        "details",
    )
    readonly_fields = ("standing",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_storecall")

    @admin.action(description="Tell again", permissions=["retry"])
    def tell_again(
        self, request: HttpRequest, queryset: QuerySet[StoreCall]
    ) -> HttpResponse | None:
        """What a store refused to be told is told once more; money goes back by whoever may refund alone."""
        if not request.user.has_perm("payments.add_refund"):
            queryset = queryset.exclude(verb=CallVerb.GIVE_BACK)
        return self.confirmed(
            request,
            queryset,
            action="tell_again",
            question="Tell the store again?",
            retry=outbox.retry,
            said="Told again.",
        )

    @admin.display(description="State")
    def standing(self, call: StoreCall) -> SafeString:
        return _tag(CallState(call.state))

    @admin.display(description="About")
    def short_subject(self, call: StoreCall) -> str:
        return _short(call.subject)


@admin.register(StoreHistory)
class StoreHistoryAdmin(ReadOnlyAdmin):
    """Up to when each store's own history was read, and what only that has brought."""

    list_display = (
        "provider",
        "environment",
        "read_until",
        "read_at",
        "tried_at",
        "failures",
        "found_count",
    )
    list_filter = (("provider", ChoicesDropdownFilter), ("environment", ChoicesDropdownFilter))
    fields = (
        "provider",
        "environment",
        ("read_until", "read_at"),
        ("tried_at", "failures", "next_attempt_at", "resume_at"),
        "found_count",
    )


def _tag(state: MessageState | CallState) -> SafeString:
    return format_html(
        '<span class="{}">{}</span>', _TAGS.get(state, "ch-tag"), state.label.lower()
    )


def _short(name: str) -> str:
    """Enough of a store's name to tell two apart in a list."""
    return name if len(name) <= 40 else f"{name[:16]}…{name[-16:]}"


def _fact(told: Mapping[str, Any]) -> dict[str, Any]:
    members = [
        (name, value) for name, value in told.items() if name != "fact" and value is not None
    ]
    return {"kind": told.get("fact", ""), "members": members}


def _changed(message: StoreMessage) -> list[dict[str, Any]]:
    """What is there of what a message was about, and what of it this message has changed."""
    changes = SubscriptionChange.objects.filter(message=message).select_related("subscription")
    lines = [
        {
            "what": "Subscription",
            "link": formats.link("subscription", change.subscription_id),
            "how": "said nothing new" if change.is_outdated else str(change),
            "at": change.created_at,
        }
        for change in changes.order_by("id")[:SHOWN_CHANGES]
    ]
    return [*lines, *_named(message)]


def _named(message: StoreMessage) -> list[dict[str, Any]]:
    """Rows under the name that the message is about."""
    if not message.subject:
        return []
    own = {"provider": message.provider, "environment": message.environment}
    of_name = own | {"transaction_id": message.subject}
    found: list[tuple[str, str, Any]] = [
        ("Purchase", "purchase", Purchase.objects.filter(**of_name).first()),
        ("Pass", "passpurchase", PassPurchase.objects.filter(**of_name).first()),
        (
            "Subscription",
            "subscription",
            Subscription.objects.filter(subscription_id=message.subject, **own).first(),
        ),
        *(
            ("Refund", "refund", row)
            for row in Refund.objects.filter(**of_name).order_by("id")[:SHOWN_CHANGES]
        ),
    ]
    return [
        {
            "what": what,
            "link": formats.link(model, row.id),
            "how": "booked by this" if row.created_at == message.applied_at else "is there",
            "at": row.created_at,
        }
        for what, model, row in found
        if row is not None
    ]
