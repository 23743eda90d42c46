"""Pages that show more than their row."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse


class Explained:
    """In front of a ModelAdmin: what `beside` answers of a row is in the context of its page."""

    def beside(self, request: HttpRequest, row: Any) -> Mapping[str, Any]:
        """What the template needs to explain the row to this operator."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        more = {} if row is None else self.beside(request, row)
        answer: HttpResponse = super().change_view(  # type: ignore[misc]
            request, object_id, form_url, {**(extra_context or {}), **more}
        )
        return answer
