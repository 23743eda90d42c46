"""Titles and synopses under the page of what they belong to."""

from typing import Any

import msgspec
from django import forms
from django.core.exceptions import ValidationError
from unfold.admin import TabularInline
from unfold.forms import PaginationInlineFormSet

from catalog.models import EpisodeText, SeriesText
from catalog.pushes import Locale


class TextForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_locale(self) -> Any:
        """One spelling a locale, as in pushes."""
        return as_pushed(
            self.cleaned_data["locale"], Locale, "Write it as in en, pt-BR or zh-Hans."
        )


def as_pushed(value: Any, shape: Any, message: str) -> Any:
    """`value` if a push could say it. Raises ValidationError with `message`."""
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise ValidationError(message) from error
    return value


class SeriesTextFormSet(PaginationInlineFormSet):  # type: ignore[misc]
    def clean(self) -> None:
        """Every other locale falls back on the original one, which therefore stays."""
        super().clean()
        kept = {
            form.cleaned_data.get("locale")
            for form in self.forms
            if form.is_valid() and not form.cleaned_data.get("DELETE")
        }
        if self.instance.original_locale not in kept:
            raise ValidationError(f"Keep the text in {self.instance.original_locale}.")


class SeriesTextInline(TabularInline):  # type: ignore[misc]
    model = SeriesText
    form = TextForm
    formset = SeriesTextFormSet
    fields = ("locale", "title", "synopsis")
    extra = 0


class EpisodeTextInline(TabularInline):  # type: ignore[misc]
    model = EpisodeText
    form = TextForm
    fields = ("locale", "title", "synopsis")
    extra = 0
