"""Rankings as they were published."""

from django.db import models


class RankingSnapshot(models.Model):
    """A ranking as it was published: the very bytes, never changed. A correction is a new row."""

    id = models.BigAutoField(primary_key=True)
    definition = models.CharField(max_length=40)
    horizon_hours = models.IntegerField()
    watermark = models.DateTimeField()
    basis = models.CharField(max_length=200, help_text="The last file and money it was made from")
    created_at = models.DateTimeField()
    body = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["definition", "horizon_hours", "watermark"],
                name="analytics_ranking_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.definition} {self.horizon_hours} h at {self.watermark:%Y-%m-%d %H:%M}"
