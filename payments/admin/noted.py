"""Rows at which somebody has looked, in a list of the admin: with a note, and with no other effect."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextInputWidget

NOTE_CHARACTERS = 500
CHOSEN_AT_ONCE = 500


class NoteForm(forms.Form):
    note = forms.CharField(
        max_length=NOTE_CHARACTERS,
        widget=UnfoldAdminTextInputWidget,
        help_text="What it was, or who was asked: for whoever looks at this later.",
    )


class Noted:
    """In front of a ModelAdmin: an action `see` that asks for a note first."""

    def noted(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        *,
        see: Callable[[Sequence[UUID], str], int],
        consequence: str,
    ) -> HttpResponse | None:
        """Passes the rows' ids and the note to `see`, which returns how many were open, and logs it of each."""
        rows = list(queryset.order_by("-id")[:CHOSEN_AT_ONCE])
        form = NoteForm(request.POST if "confirm" in request.POST else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),  # type: ignore[attr-defined]
                "title": "What came of looking",
                "opts": self.opts,  # type: ignore[attr-defined]
                "rows": rows,
                "form": form,
                "consequence": consequence,
            }
            return TemplateResponse(request, "admin/payments/seen.html", context)
        note = form.cleaned_data["note"]
        with transaction.atomic():
            number = see([row.id for row in rows], note)
            for row in rows:
                self.log_change(request, row, f"Seen. {note}")  # type: ignore[attr-defined]
        messages.success(request, f"{number:,} of {len(rows):,} were open, and are seen now.")
        return None
