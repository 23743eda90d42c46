"""Admin pages for rows that are only ever read."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.paginator import InfinitePaginator


def search_exactly(
    queryset: QuerySet[Any], fields: Sequence[str], search_term: str, *others: Q
) -> QuerySet[Any]:
    """Rows in which one of `fields` is `search_term`, or that match one of `others`.

    Names ending in `id` hold UUIDs; the admin's own search would compare them as text, which no
    index answers. Each field is looked up by itself, since an OR over several tables has no index
    either.
    """
    term = search_term.strip().replace("\x00", "")
    if not term:
        return queryset
    identifier = _uuid(term)
    wanted = list(others)
    for name in fields:
        if not name.endswith("id"):
            wanted.append(Q(**{name: term}))
        elif identifier is not None:
            wanted.append(Q(**{name: identifier}))
    if not wanted:
        return queryset.none()
    rows = queryset.model._default_manager.order_by()  # noqa: SLF001  Django's name for it
    first, *rest = (rows.filter(condition).values("pk") for condition in wanted)
    return queryset.filter(pk__in=first.union(*rest, all=True) if rest else first)


class DayRangeFilter(RangeDateFilter):  # type: ignore[misc]
    """From one day to another, both included, in UTC. What is no date filters nothing."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first = _midnight(self.used_parameters.get(f"{self.parameter_name}_from"))
        last = _midnight(self.used_parameters.get(f"{self.parameter_name}_to"))
        if first is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": first})
        if last is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": last + timedelta(days=1)})
        return queryset


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """A list and a page for each row; nobody adds, changes or deletes, whatever their role.

    Lists stay quick over millions of rows: nothing is counted, newest first by primary key, and a search
    for whole identifiers that an index answers.
    """

    actions: Sequence[str] | None = None
    ordering: Sequence[str] = ("-id",)
    list_per_page = 50
    show_full_result_count = False
    paginator = InfinitePaginator
    list_filter_submit = True
    show_facets = ShowFacets.NEVER
    exact_search_fields: Sequence[str] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_search_fields(self, request: HttpRequest) -> Sequence[str]:
        return self.exact_search_fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search_exactly(queryset, self.exact_search_fields, search_term), False


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    """Rows of another table under a row's page, a page at a time."""

    extra = 0
    can_delete = False
    per_page = 50
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _midnight(text: Any) -> datetime | None:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return None
    return None if day == date.max else datetime.combine(day, time.min, UTC)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
