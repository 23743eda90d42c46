"""The public keys that networks sign with, as they were last fetched."""

from django.db import models

from ads.models.placements import Network


class VerifierKeys(models.Model):
    """A network's key document, and how fetching it stands. Without a row, the one we ship holds.

    A failed fetch leaves the document as it was, and `failure` says what happened.
    """

    network = models.CharField(max_length=20, choices=Network.choices, primary_key=True)
    document = models.BinaryField()
    fetched_at = models.DateTimeField(null=True, help_text="None: the document is the one we ship")
    max_age_seconds = models.PositiveIntegerField(
        default=24 * 3600, help_text="How long the network lets it be kept"
    )
    wanted_at = models.DateTimeField(null=True, help_text="When a callback named an unknown key")
    attempted_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "verifier keys"

    def __str__(self) -> str:
        return self.network
