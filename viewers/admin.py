"""What operators see and may do: move a tester to the sandbox, issue and revoke API keys."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config import clock
from viewers import api_keys
from viewers.models import ApiKey, Device, Identity, Scope, Viewer


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DeviceInline(ReadOnlyInline):
    model = Device
    fields = readonly_fields = ("id", "install_id", "platform", "app_version", "created_at")


class IdentityInline(ReadOnlyInline):
    model = Identity
    fields = readonly_fields = ("provider", "issuer_app", "subject", "union_subject", "created_at")


@admin.register(Viewer)
class ViewerAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "environment", "locale", "region", "created_at", "last_seen_at")
    list_filter = ("environment",)
    search_fields = ("id",)
    search_help_text = "A whole viewer id"
    ordering = ("-id",)
    show_full_result_count = False
    fields = (
        "id",
        "environment",
        "locale",
        "region",
        "created_at",
        "last_seen_at",
        "erased_at",
    )
    readonly_fields = tuple(field for field in fields if field != "environment")
    inlines = (DeviceInline, IdentityInline)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Viewer], search_term: str
    ) -> tuple[QuerySet[Viewer], bool]:
        """By the primary key: the admin's own search would compare every id as text."""
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(id=UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= clock.read():
            raise forms.ValidationError("This moment has passed.")
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = (
        "name",
        "prefix",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    search_fields = ("name", "prefix")
    ordering = ("-id",)
    actions = ("revoke",)
    form = ApiKeyForm

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ApiKeyForm.Meta.fields if obj is None else self.list_display

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Revoking takes the permission to change, which opens no form here."""
        return request.user.has_perm("viewers.change_apikey")

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: forms.BaseModelForm[ApiKey], change: bool
    ) -> None:
        key, plaintext = api_keys.issue(
            name=obj.name,
            scopes=[Scope(scope) for scope in obj.scopes],
            now=clock.now(request),
            expires_at=obj.expires_at,
        )
        # The admin goes on to log and name the object it holds: let it be the one that was issued.
        obj.pk = key.pk
        messages.warning(request, f"Copy the key now, it is not shown again: {plaintext}")

    @admin.action(description="Revoke selected API keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            api_keys.revoke(key=key, now=clock.now(request))
            self.log_change(request, key, "Revoked.")
        messages.success(request, "The selected keys open nothing any more.")
