"""Which of the available locales a reader gets (the lookup of RFC 4647, section 3.4)."""

from collections.abc import Collection, Mapping, Sequence

from django.db.models import F, Q
from django.utils.translation.trans_real import parse_accept_lang_header

MAXIMUM_PREFERENCES = 6

#: Regions whose readers are known to expect one script, which their tag leaves unsaid.
_SCRIPT_OF_REGION: Mapping[str, str] = {
    "zh-cn": "zh-hans",
    "zh-sg": "zh-hans",
    "zh-my": "zh-hans",
    "zh-tw": "zh-hant",
    "zh-hk": "zh-hant",
    "zh-mo": "zh-hant",
}


def preferences(*, locale: str | None, accept_language: str) -> tuple[str, ...]:
    """What the reader asks for, best first, in lower case: the `locale` parameter, else the header.

    A malformed header asks for nothing.
    """
    if locale:
        return (locale.lower(),)
    weighed = parse_accept_lang_header(accept_language)
    asked = (tag.lower() for tag, weight in weighed if weight > 0 and tag != "*")
    return tuple(asked)[:MAXIMUM_PREFERENCES]


def negotiate(available: Collection[str], *, asked: Sequence[str], original: str) -> str:
    """The available locale that suits best, else `original`.

    Each preference in turn is looked up as it stands, by its script, shortened part by part, and
    last as any other variety of its language.
    """
    by_name = {locale.lower(): locale for locale in sorted(available)}
    for tag in asked:
        for candidate in _candidates(tag):
            if candidate in by_name:
                return by_name[candidate]
        language = _language(tag)
        for name, locale in by_name.items():
            if _language(name) == language:
                return locale
    return original


def rows_that_may_serve(asked: Sequence[str], *, original: str | F) -> Q:
    """Filters text rows to those `negotiate` could choose, so that a page reads few of them."""
    rows = Q(locale=original)
    for language in {_language(tag) for tag in asked}:
        rows |= Q(locale=language) | Q(locale__startswith=f"{language}-")
    return rows


def _candidates(tag: str) -> list[str]:
    parts = tag.split("-")
    shortened = ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
    script = _SCRIPT_OF_REGION.get(tag)
    return [tag, script, *shortened[1:]] if script else shortened


def _language(tag: str) -> str:
    return tag.partition("-")[0].lower()
