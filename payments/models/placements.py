"""Places in the app whose contents the server decides, and for whom they differ."""

import json
import re
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from config.ids import uuid7
from payments.models.promotions import AcquisitionLink
from viewers.models import Platform

MAXIMUM_CONFIG_BYTES = 16_384
#: The one member of a configuration that the server reads too: codes of packs and offers, in order.
OFFERS = "offers"

#: An escaped NUL: a backslash that is not escaped itself, and the rest.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Segment(models.TextChoices):
    """How a viewer stands to paying. Everybody is in exactly one."""

    NEW = "new", "New: came within SEGMENT_NEW_DAYS, has never paid"
    SPENDER = "spender", "Spender: has paid, and bought or spent within SEGMENT_LAPSED_DAYS"
    LAPSED = "lapsed", "Lapsed: has paid, and neither bought nor spent since"
    OTHER = "other", "Other: came earlier, has never paid"


def validate_config(value: Any) -> None:
    """Raises ValidationError unless it is a JSON object of at most MAXIMUM_CONFIG_BYTES, whose `offers`, if
    it has any, are a list of codes."""
    if not isinstance(value, dict):
        raise ValidationError('Write a JSON object, as in {"layout": "sheet"}.')
    if not is_plain(value):
        raise ValidationError(
            "Write no NUL characters, no halves of surrogate pairs and no numbers without an end."
        )
    codes = value.get(OFFERS, [])
    if not (isinstance(codes, list) and all(isinstance(code, str) for code in codes)):
        raise ValidationError('Name offers by their codes, as in {"offers": ["purse", "chest"]}.')
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > MAXIMUM_CONFIG_BYTES:
        raise ValidationError(
            f"This is {size:,} bytes long. At most {MAXIMUM_CONFIG_BYTES:,} go to every app that asks."
        )


def is_plain(value: Any) -> bool:
    """Whether every JSON parser reads it, and PostgreSQL keeps it: it has no NUL characters, no halves of
    surrogate pairs, and no numbers without an end in it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return _ESCAPED_NUL.search(text) is None


class PaywallPlacement(models.Model):
    """A place in the app, such as its paywall. Switched off, never deleted: apps ask for it by code.

    `config` is the app's own: what it means is between the app and whoever edits it. Only its `offers`, if
    it has any, the server reads too: the packs and offers that are shown there, by code.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(max_length=50, unique=True, help_text="What apps call it")
    title = models.CharField(max_length=100)
    config = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_config],
        help_text="For viewers whom no rule below fits. A JSON object, as the app reads it",
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = "paywall placement"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.title


class PlacementRule(models.Model):
    """What a placement shows some viewers. The first rule that fits counts.

    What is empty fits everybody; at least one thing is said.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    placement = models.ForeignKey(
        PaywallPlacement, models.CASCADE, related_name="rules", db_index=False
    )
    position = models.PositiveIntegerField(help_text="Lowest first")
    name = models.CharField(max_length=100)
    segments = ArrayField(
        models.CharField(max_length=10, choices=Segment.choices), default=list, blank=True
    )
    regions = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    platforms = ArrayField(
        models.CharField(max_length=10, choices=Platform.choices), default=list, blank=True
    )
    link = models.ForeignKey(
        AcquisitionLink,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="For those who once came by this link",
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    config = models.JSONField(default=dict, blank=True, validators=[validate_config])
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["placement", "position"],
                name="payments_placementrule_place",
                violation_error_message="Another rule of this placement has this position.",
            ),
            models.CheckConstraint(
                condition=~Q(
                    segments=[],
                    regions=[],
                    platforms=[],
                    link=None,
                    starts_at=None,
                    ends_at=None,
                ),
                name="payments_placementrule_narrows",
                violation_error_message=(
                    "This rule fits everybody always. Say at least one thing about whom or when it is "
                    "for, or change the placement's own configuration."
                ),
            ),
            models.CheckConstraint(
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="payments_placementrule_period",
                violation_error_message="It ends before it starts.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
