"""What viewers handed in that is another's, and were refused."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.models import RefusedClaim

SHOWN = 25


@admin.register(RefusedClaim)
class RefusedClaimAdmin(OfViewer, ReadOnlyAdmin):
    """One for each purchase and day. Some are a family's device; many are somebody who tries."""

    list_display = (
        "claimed_at",
        "viewer_link",
        "owner_link",
        "what",
        "short_reference",
        "provider",
        "environment",
    )
    list_filter = (
        ("provider", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("claimed_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "viewer_id", "owner_id")
    search_help_text = "A whole viewer id, of who handed it in or of whose it is"
    fields = (
        "id",
        "whole_viewer_link",
        "whole_owner_link",
        "what",
        ("provider", "environment"),
        "reference_hash",
        "claimed_at",
    )
    readonly_fields = ("whole_viewer_link", "whole_owner_link", "what")

    @admin.display(description="Whose it is")
    def owner_link(self, row: RefusedClaim) -> SafeString | str:
        return formats.viewer_link(row.owner_id)

    @admin.display(description="Whose it is")
    def whole_owner_link(self, row: RefusedClaim) -> SafeString | str:
        return formats.viewer_link(row.owner_id, is_whole=True)

    @admin.display(description="What")
    def what(self, row: RefusedClaim) -> SafeString | str:
        return claimed(row)

    @admin.display(description="Reference")
    def short_reference(self, row: RefusedClaim) -> str:
        return row.reference_hash[:12]


def claimed(row: RefusedClaim) -> SafeString | str:
    """A link to what was claimed."""
    if row.subscription_id:
        return formats.link("subscription", row.subscription_id, "A subscription")
    if row.purchase_id:
        return formats.link("purchase", row.purchase_id, "Coins")
    return (
        formats.link("passpurchase", row.pass_purchase_id, "A pass")
        if row.pass_purchase_id
        else "–"
    )
