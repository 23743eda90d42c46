"""Ad sessions, and the rewards that came of them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import DateTimeField, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ads.models import AdSession, Network, Reward
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, search_exactly
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.series_choice import title, with_titles


class _OfEpisode(OfViewer, ReadOnlyAdmin):
    """A row about one viewer and one episode, or coins."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_titles(super().get_queryset(request), "episode__series").select_related(
            "placement"
        )

    @admin.display(description="Episode")
    def what(self, row: Any) -> str:
        if row.episode is None:
            return "coins"
        return f"{title(row.episode.series)}, episode {row.episode.number}"


@admin.register(AdSession)
class AdSessionAdmin(_OfEpisode):
    list_display = (
        "opened_at",
        "viewer_link",
        "what",
        "placement",
        "state",
        "network",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("network", ChoicesDropdownFilter),
        ("opened_at", DayRangeFilter),
    )
    exact_search_fields: Sequence[str] = ("id", "viewer_id")
    search_help_text = "A whole session id or viewer id"
    fields = (
        "id",
        "whole_viewer_link",
        "what",
        "state",
        "refusal",
        ("placement", "network", "ad_unit_id"),
        ("reward", "reward_amount", "coins_expire_after_days", "ads_needed"),
        "environment",
        ("playback_session_id", "position_ms"),
        ("opened_at", "expires_at"),
        ("rewarded_at", "closed_at"),
    )
    readonly_fields = ("whole_viewer_link", "what", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Each session with the moment at which its state is shown."""
        moment = Value(clock.now(request), output_field=DateTimeField())
        rows: QuerySet[Any] = super().get_queryset(request)
        shown: QuerySet[Any] = rows.annotate(shown_at=moment)
        return shown

    @admin.display(description="State")
    def state(self, session: Any) -> str:
        return str(session.state_at(session.shown_at).label)


@admin.register(Reward)
class RewardAdmin(_OfEpisode):
    list_display = (
        "created_at",
        "viewer_link",
        "what",
        "placement",
        "place",
        "revenue",
        "network",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("network", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    exact_search_fields: Sequence[str] = ("id", "viewer_id", "session_id", "entitlement_id")
    search_help_text = "A network's transaction id, or a whole viewer, session or entitlement id"
    fields = (
        "id",
        "whole_viewer_link",
        "what",
        "placement",
        "place",
        "revenue",
        ("network", "transaction_id"),
        "environment",
        "session_link",
        ("goal_link", "counted"),
        "entitlement_link",
        "created_at",
    )
    readonly_fields = (
        "whole_viewer_link",
        "what",
        "place",
        "revenue",
        "session_link",
        "goal_link",
        "counted",
        "entitlement_link",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found = of_transaction(search_term)
        return search_exactly(queryset, self.exact_search_fields, search_term, found), False

    @admin.display(description="Of the day")
    def place(self, reward: Reward) -> str:
        return f"{reward.number} of {reward.daily_cap} on {reward.day}"

    @admin.display(description="Estimated revenue", ordering="revenue_micros")
    def revenue(self, reward: Reward) -> str:
        return formats.money(reward.revenue_micros)

    @admin.display(description="Session")
    def session_link(self, reward: Reward) -> SafeString:
        return session_link(reward.session_id)

    @admin.display(description="Goal")
    def goal_link(self, reward: Reward) -> SafeString:
        url = reverse("admin:ads_goal_change", args=[reward.goal_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, reward.goal)

    @admin.display(description="Which of its ads")
    def counted(self, reward: Reward) -> str:
        return f"{reward.place} of {reward.goal.ads_needed}"

    @admin.display(description="Entitlement")
    def entitlement_link(self, reward: Reward) -> SafeString | str:
        return formats.link("entitlement", reward.entitlement_id) if reward.entitlement_id else "–"


def of_transaction(search_term: str) -> Q:
    """A transaction id of any network, as the indexes are ordered."""
    term = search_term.strip().replace("\x00", "")
    return Q(network__in=Network.values, transaction_id=term)


def session_link(session_id: Any) -> SafeString:
    """A link to a session's page, by the end of its id."""
    url = reverse("admin:ads_adsession_change", args=[session_id])
    return format_html('<a class="ch-link" href="{}">{}</a>', url, formats.short_id(session_id))
