"""Who or what made a piece of content, and the label the law wants shown with it."""

from django.db import models


class ProvenanceKind(models.TextChoices):
    HUMAN = "human", "Made by people"
    AI_ASSISTED = "ai_assisted", "Made with AI"
    AI_NATIVE = "ai_native", "Made by AI"


#: True of rows whose making has to be declared to viewers but is not.
UNLABELLED = ~models.Q(provenance_kind=ProvenanceKind.HUMAN) & models.Q(content_label="")


class Provenance(models.Model):
    """The columns every labelled piece of content has."""

    provenance_kind = models.CharField(max_length=20, choices=ProvenanceKind)
    provenance_model = models.CharField(
        max_length=200, blank=True, help_text="The generating model and its version."
    )
    content_label = models.CharField(
        max_length=200, blank=True, help_text="What viewers are told, such as “AI-generated”."
    )

    class Meta:
        abstract = True

    @property
    def is_unlabelled(self) -> bool:
        """True when AI had a part in it and no label says so."""
        return self.provenance_kind != ProvenanceKind.HUMAN and not self.content_label
