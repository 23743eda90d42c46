"""The pages between password and admin: enrolment, the code, recovery codes."""

from typing import Any, ClassVar

import django_otp
import qrcode
from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.generic import FormView, TemplateView
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from qrcode.image.svg import SvgPathImage
from unfold.widgets import UnfoldAdminTextInputWidget

from config.second_factor import devices, middleware

PENDING = "second_factor_pending_id"
FEW_RECOVERY_CODES = 3


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=30,
        widget=UnfoldAdminTextInputWidget(
            {"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )


@method_decorator(never_cache, name="dispatch")
class CodeStep(FormView[CodeForm]):
    """A page that asks for a code and goes on to where the operator was headed."""

    site: ClassVar[AdminSite] = None  # type: ignore[assignment]  # given to as_view()
    form_class = CodeForm
    title: str
    is_for_enrolled: bool
    other_step: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if middleware.is_through(request):
            return redirect(self.destination())
        if devices.is_enrolled(self.operator()) is not self.is_for_enrolled:
            url = reverse(f"admin:{self.other_step}")
            return redirect(f"{url}?{request.GET.urlencode()}")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {"title": self.title, "next": self.destination()}
        return super().get_context_data(**self.site.each_context(self.request), **own, **kwargs)

    def operator(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101  the middleware let only staff through
        return user

    def destination(self) -> str:
        """Where the operator was headed, if that is a place of ours."""
        asked = self.request.POST.get("next") or self.request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            asked, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return asked if is_ours else reverse("admin:index")

    def let_in(self, device: Device) -> None:
        django_otp.login(self.request, device)
        self.request.session.cycle_key()


class CodePage(CodeStep):
    """Asks an enrolled operator for a code of the app, or a recovery code."""

    template_name = "admin/second_factor.html"
    title = "Second factor"
    is_for_enrolled = True
    other_step = "second_factor_enrol"

    def form_valid(self, form: CodeForm) -> HttpResponse:
        try:
            device = devices.verify(self.operator(), code=form.cleaned_data["code"])
        except devices.CodeRefused as refusal:
            form.add_error("code", str(refusal))
            return self.form_invalid(form)
        self.let_in(device)
        if isinstance(device, StaticDevice):
            self._warn_of_few_codes()
        return HttpResponseRedirect(self.destination())

    def _warn_of_few_codes(self) -> None:
        left = devices.recovery_codes_left(self.operator())
        tell = messages.warning if left <= FEW_RECOVERY_CODES else messages.info
        tell(
            self.request,
            f"That recovery code is used up; {left} are left. "
            "New ones are under your name, bottom left.",
        )


class EnrolPage(CodeStep):
    """Shows a new secret, and makes it the second factor once the app answers with its code."""

    template_name = "admin/second_factor_enrol.html"
    title = "Set up your second factor"
    is_for_enrolled = False
    other_step = "second_factor"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        device = devices.begin_enrolment(self.operator(), pending_id=self._pending_id())
        self.request.session[PENDING] = device.id
        secret = devices.written_secret(device)
        groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        return super().get_context_data(
            qr_code=qr_code(device.config_url), secret=" ".join(groups), **kwargs
        )

    def form_valid(self, form: CodeForm) -> HttpResponse:
        try:
            device = devices.confirm_enrolment(
                self.operator(), pending_id=self._pending_id(), code=form.cleaned_data["code"]
            )
        except devices.CodeRefused as refusal:
            form.add_error("code", str(refusal))
            return self.form_invalid(form)
        self.request.session.pop(PENDING, None)
        self.let_in(device)
        context = self.site.each_context(self.request) | {
            "title": "Your recovery codes",
            "codes": devices.replace_recovery_codes(self.operator()),
            "next": self.destination(),
        }
        return TemplateResponse(self.request, "admin/recovery_codes_first.html", context)

    def _pending_id(self) -> int | None:
        pending_id: int | None = self.request.session.get(PENDING)
        return pending_id


@method_decorator(never_cache, name="dispatch")
class RecoveryCodesPage(TemplateView):
    """How many recovery codes are left, and a button that makes new ones."""

    site: ClassVar[AdminSite] = None  # type: ignore[assignment]  # given to as_view()
    template_name = "admin/recovery_codes.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        left = devices.recovery_codes_left(self.request.user)  # type: ignore[arg-type]
        own = {"title": "Recovery codes", "codes_left": left}
        return super().get_context_data(**self.site.each_context(self.request), **own, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        codes = devices.replace_recovery_codes(request.user)  # type: ignore[arg-type]
        return self.render_to_response(self.get_context_data(codes=codes))


def qr_code(url: str) -> SafeString:
    """`url` as an inline SVG; it holds nothing but squares."""
    image = qrcode.make(url, image_factory=SvgPathImage, border=2)
    drawing: str = image.to_string(encoding="unicode")
    return mark_safe(drawing)  # noqa: S308  made of squares and nothing that anybody typed
