"""Operators, roles and the audit trail. Second factors are nobody's to read here.

django-otp registers pages that show the secrets of authenticators and the recovery codes of
everybody; they are taken off the site.
"""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static import admin as otp_static_admin
from django_otp.plugins.otp_totp import admin as otp_totp_admin
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config import operators, roles
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin

for model in (User, Group, otp_static_admin.StaticDevice, otp_totp_admin.TOTPDevice):
    admin.site.unregister(model)


@admin.register(User)
class OperatorAdmin(auth_admin.UserAdmin[User], ModelAdmin):  # type: ignore[misc]
    """Who may sign in. Operators are switched off, never deleted: prices name who made them."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "role_names", "is_active", "has_second_factor", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    actions = ("start_over",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": (("first_name", "last_name"), "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": (("last_login", "date_joined"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        enrolled = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        queryset: QuerySet[User] = super().get_queryset(request)
        return queryset.prefetch_related("groups").annotate(is_enrolled=Exists(enrolled))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """Only a superuser makes another one."""
        fixed = ("last_login", "date_joined")
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A superuser's account, password included, is for superusers."""
        if isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser:
            return False
        allowed: bool = super().has_change_permission(request, obj)
        return allowed

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="Roles")
    def role_names(self, user: User) -> str:
        names = [group.name for group in user.groups.all()]
        return ", ".join(["superuser", *names] if user.is_superuser else names)

    @admin.display(description="Second factor", boolean=True)
    def has_second_factor(self, user: User) -> bool:
        return bool(getattr(user, "is_enrolled", False))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whoever is added here is added in order to sign in here."""
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    @admin.action(description="Forget password and second factor", permissions=["change"])
    def start_over(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For somebody who lost their phone: ends their sessions, shows a new password once."""
        for user in queryset:
            if not self.has_change_permission(request, user):
                messages.error(request, f"{user} is a superuser; only another one may do this.")
                continue
            password = operators.start_over(user)
            self.log_change(request, user, "Forgot password and second factor.")
            messages.warning(request, f"{user} signs in with this password, shown once: {password}")


@admin.register(Group)
class RoleAdmin(auth_admin.GroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Groups. Those of `config.roles` are written anew by every migration."""

    list_display = ("name", "is_built_in")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The built-in roles are what the code says: an edit would be undone silently."""
        if isinstance(obj, Group) and obj.name in roles.ROLES:
            return False
        allowed: bool = super().has_change_permission(request, obj)
        return allowed

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, Group) and obj.name in roles.ROLES:
            return False
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed

    @admin.display(description="Built in", boolean=True)
    def is_built_in(self, group: Group) -> bool:
        return group.name in roles.ROLES


@admin.register(LogEntry)
class AuditTrailAdmin(ReadOnlyAdmin):
    """Who did what in the admin, and when."""

    list_display = ("action_time", "user", "what", "object_repr", "change_message_text")
    list_display_links = ("action_time",)
    list_filter = (("action_time", DayRangeFilter), "action_flag")
    list_select_related = ("user", "content_type")
    exact_search_fields = ("user__username",)
    search_help_text = "A whole username"
    fields = ("action_time", "user", "what", "object_repr", "object_id", "change_message_text")

    @admin.display(description="What")
    def what(self, entry: LogEntry) -> str:
        kind = entry.content_type.name if entry.content_type else "something"
        return f"{entry.get_action_flag_display()} of {kind}"

    @admin.display(description="Details")
    def change_message_text(self, entry: LogEntry) -> str:
        return entry.get_change_message()
