"""A stored file, known by what is in it."""

from django.db import models

from config.ids import uuid7


class MediaAsset(models.Model):
    """One file in storage. `sha256` says what it holds; `storage_key` is where, by a random name.

    The name is not derived from the content, so that knowing a file does not tell where it lies.
    """

    class Purpose(models.TextChoices):
        POSTER = "poster", "Poster"
        VIDEO = "video", "Video"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=200)
    content_type = models.CharField(max_length=40)
    size_bytes = models.BigIntegerField()
    purpose = models.CharField(max_length=10, choices=Purpose)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="catalog_media_sha256_unique"),
            models.UniqueConstraint(fields=["storage_key"], name="catalog_media_key_unique"),
            models.CheckConstraint(
                condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="catalog_media_sha256_is_hex",
            ),
            models.CheckConstraint(
                condition=models.Q(size_bytes__gt=0), name="catalog_media_is_not_empty"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.sha256[:12]}"
