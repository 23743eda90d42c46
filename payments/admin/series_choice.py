"""Choosing a series by its title, from any number of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.postgres.search import SearchQuery
from django.db.models import F, Prefetch, Q, QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import reverse_lazy
from unfold.widgets import AutocompleteWidgetMixin

from catalog import search
from catalog.models import Series, SeriesText

PAGE = 20
URL_NAME = "payments_priceplan_series"


def titles(series: Iterable[Series]) -> Mapping[UUID, str]:
    """Each series' title in its original locale with the pipeline's name for it."""
    rows = list(series)
    texts = SeriesText.objects.filter(series__in=rows, locale=F("series__original_locale"))
    by_series = dict(texts.values_list("series_id", "title"))
    return {row.id: _named(row, by_series.get(row.id)) for row in rows}


def with_titles(queryset: QuerySet[Any], path: str) -> QuerySet[Any]:
    """Reads the series at `path` along with the rows, ready for `title`."""
    originals = SeriesText.objects.filter(locale=F("series__original_locale"))
    return (
        queryset.select_related(path)
        .defer(f"{path}__search")
        .prefetch_related(Prefetch(f"{path}__texts", originals))
    )


def title(series: Series) -> str:
    """The title of a series that was read by `with_titles`."""
    texts = list(series.texts.all())
    return _named(series, texts[0].title if texts else None)


def _named(series: Series, title: str | None) -> str:
    name = f"{title} ({series.external_id})" if title else series.external_id
    return name if series.state == Series.State.PUBLISHED else f"{name}, {series.state}"


def find(term: str) -> QuerySet[Series]:
    """Series whose texts have every word of `term`, the last perhaps only begun; newest first."""
    term = term.strip().replace("\x00", "")
    if not term:
        newest: QuerySet[Series] = Series.objects.filter(state=Series.State.PUBLISHED)
        return newest.order_by("-published_at", "-id")
    matching = Q(external_id=term)
    if (whole := search.query(term)) is not None:
        matching |= Q(search=whole)
    if (begun := _last_word_begun(term)) is not None:
        matching |= Q(search=begun)
    found: QuerySet[Series] = Series.objects.filter(matching)
    return found.order_by(F("published_at").desc(nulls_last=True), "-id")


def _last_word_begun(term: str) -> Any:
    *words, last = term.split()
    if not (last.isascii() and last.isalnum()):
        return None
    begun = SearchQuery(f"{last.lower()}:*", config=search.CONFIG, search_type="raw")
    head = search.query(" ".join(words))
    return begun if head is None else head & begun


def answer(request: HttpRequest) -> JsonResponse:
    """What the widget asks while somebody types: `?term=&page=`, a page of names."""
    page = request.GET.get("page", "1")
    start = (int(page) - 1) * PAGE if page.isascii() and page.isdigit() and len(page) < 6 else 0
    rows = list(find(request.GET.get("term", ""))[max(start, 0) : max(start, 0) + PAGE + 1])
    named = titles(rows[:PAGE])
    return JsonResponse(
        {
            "results": [{"id": str(key), "text": name} for key, name in named.items()],
            "pagination": {"more": len(rows) > PAGE},
        }
    )


class _OnlyChosen(AutocompleteWidgetMixin):  # type: ignore[misc]
    """Renders the options that are chosen and leaves every other one to the server."""

    option_template_name = "unfold/widgets/select_option_modelchoicefield_autocomplete.html"
    choices: Any

    def __init__(self) -> None:
        super().__init__(
            {"data-ajax--url": reverse_lazy(f"admin:{URL_NAME}"), "data-width": "100%"}
        )

    def optgroups(self, name: str, value: Sequence[Any], attrs: Any = None) -> list[Any]:
        chosen = [key for key in value if _is_uuid(key)]
        named = titles(self.choices.queryset.filter(pk__in=chosen)) if chosen else {}
        options = [
            self.create_option(name, str(key), label, True, index)
            for index, (key, label) in enumerate(named.items())
        ]
        return [(None, options, 0)]


class SeriesSelect(_OnlyChosen, forms.Select):  # type: ignore[misc]
    """One series."""


class SeriesSelectMultiple(_OnlyChosen, forms.SelectMultiple):  # type: ignore[misc]
    """Any number of series."""


def _is_uuid(value: Any) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
