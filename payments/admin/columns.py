"""Columns that many pages of money share."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.utils.safestring import SafeString

from payments.admin import formats


class OfViewer:
    """A row that belongs to a viewer: by the end of the id in lists, by the whole on its page."""

    @admin.display(description="Viewer")
    def viewer_link(self, row: Any) -> SafeString | str:
        return formats.viewer_link(self.owner_id(row))

    @admin.display(description="Viewer")
    def whole_viewer_link(self, row: Any) -> SafeString | str:
        return formats.viewer_link(self.owner_id(row), is_whole=True)

    def owner_id(self, row: Any) -> UUID | None:
        """The viewer's id; subclasses whose rows keep it elsewhere say where."""
        viewer_id: UUID | None = row.viewer_id
        return viewer_id
