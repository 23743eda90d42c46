"""Who watches: viewers, their devices and identities, and every credential we issue.

Viewers are not Django users; those are the staff of the admin.
"""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from config.ids import uuid7

SHA256_BYTES = 32
API_KEY_NAME_CHARACTERS = 100


class Environment(models.TextChoices):
    """Whether a viewer's money is real. Production and sandbox rows never mix."""

    PRODUCTION = "production", "Production"
    SANDBOX = "sandbox", "Sandbox"


class Platform(models.TextChoices):
    IOS = "ios", "iOS"
    ANDROID = "android", "Android"
    WEB = "web", "Web"
    WECHAT = "wechat", "WeChat"
    DOUYIN = "douyin", "Douyin"


class IdentityProvider(models.TextChoices):
    APPLE = "apple", "Apple"
    GOOGLE = "google", "Google"
    WECHAT = "wechat", "WeChat"
    DOUYIN = "douyin", "Douyin"
    EMAIL = "email", "E-mail"


class Scope(models.TextChoices):
    """What an API key may do."""

    PIPELINE_READ = "pipeline:read", "Read feedback for the generation pipeline"
    PIPELINE_WRITE = "pipeline:write", "Push series, versions and beats"
    ANALYTICS_READ = "analytics:read", "Read reports"
    SUPPORT_READ = "support:read", "Explain to support what viewers have and may watch"
    FINANCE_READ = "finance:read", "Export lots and ledger entries"


class Viewer(models.Model):
    """A person using the app, guest or signed in."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    environment = models.TextField(
        choices=Environment,
        default=Environment.PRODUCTION,
        help_text="Set by operators only: testers watch in the sandbox, where no money is real.",
    )
    locale = models.CharField(max_length=35, blank=True)
    region = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2, or empty.")
    shares_consumption = models.BooleanField(
        db_default=False,
        help_text="Agrees that a store hears, when it is asked for a refund, how much was used",
    )
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="viewer_environment_known", condition=Q(environment__in=Environment.values)
            ),
            models.CheckConstraint(
                name="viewer_region_is_alpha2", condition=Q(region__regex=r"^([A-Z]{2})?$")
            ),
        ]
        indexes = [
            models.Index(fields=["erased_at"], name="viewer_erased", condition=~Q(erased_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Device(models.Model):
    """One installation of the app, as one viewer uses it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The unique constraint below starts with the viewer, so it serves as this key's index.
    viewer = models.ForeignKey(
        Viewer, on_delete=models.PROTECT, related_name="devices", db_index=False
    )
    install_id = models.UUIDField(help_text="Made by the client; it proves nothing.")
    platform = models.TextField(choices=Platform)
    app_version = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="device_once_per_viewer", fields=["viewer", "install_id"]),
            models.CheckConstraint(
                name="device_platform_known", condition=Q(platform__in=Platform.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.platform} {self.install_id}"


class Identity(models.Model):
    """A way a viewer signs in. `subject` means something only under `issuer_app`.

    WeChat and Douyin give a person one id per app and one `union_subject` across a company's apps.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, on_delete=models.PROTECT, related_name="identities")
    provider = models.TextField(choices=IdentityProvider)
    issuer_app = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    union_subject = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                name="identity_opens_one_viewer", fields=["provider", "issuer_app", "subject"]
            ),
            models.CheckConstraint(
                name="identity_provider_known", condition=Q(provider__in=IdentityProvider.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.subject}"


class RefreshToken(models.Model):
    """One link of a chain of refresh tokens: a family has at most one that still opens anything."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    family = models.UUIDField()
    viewer = models.ForeignKey(Viewer, on_delete=models.PROTECT, related_name="refresh_tokens")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="refresh_tokens")
    secret_hash = models.BinaryField(max_length=SHA256_BYTES, unique=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    successor = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, related_name="predecessor"
    )

    class Meta:
        indexes = [models.Index(fields=["family"], name="refreshtoken_family")]
        constraints = [
            models.UniqueConstraint(
                name="refreshtoken_one_live_per_family",
                fields=["family"],
                condition=Q(used_at=None, revoked_at=None),
            ),
            models.CheckConstraint(
                name="refreshtoken_hash_is_sha256",
                condition=Exact(Length("secret_hash"), SHA256_BYTES),
            ),
            models.CheckConstraint(
                name="refreshtoken_lives", condition=Q(expires_at__gt=F("issued_at"))
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ApiKey(models.Model):
    """A machine's credential. Only a hash of its secret is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=API_KEY_NAME_CHARACTERS)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.BinaryField(max_length=SHA256_BYTES)
    scopes = ArrayField(models.TextField(choices=Scope))
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                name="apikey_hash_is_sha256",
                condition=Exact(Length("secret_hash"), SHA256_BYTES),
            ),
            models.CheckConstraint(name="apikey_has_scope", condition=Q(scopes__len__gt=0)),
        ]

    def __str__(self) -> str:
        return self.name

    def is_live(self, now: datetime) -> bool:
        """True while the key opens anything: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
