"""Files, by what is in them."""

from django.contrib import admin
from django.utils.safestring import SafeString

from catalog.admin import formats
from catalog.models import MediaAsset
from config.read_only_admin import ReadOnlyAdmin


@admin.register(MediaAsset)
class MediaAssetAdmin(ReadOnlyAdmin):
    """Where a video lies is nobody's to read: its name is half of a playback URL."""

    list_display = ("thumbnail", "sha256", "purpose", "content_type", "size_bytes", "created_at")
    list_display_links = ("sha256",)
    list_filter = ("purpose",)
    exact_search_fields = ("sha256",)
    search_help_text = "A whole SHA-256"
    fields = ("thumbnail", "sha256", "purpose", "content_type", "size_bytes", "created_at")
    readonly_fields = ("thumbnail",)

    @admin.display(description="Poster")
    def thumbnail(self, asset: MediaAsset) -> SafeString | str:
        return formats.image(asset if asset.purpose == MediaAsset.Purpose.POSTER else None)
