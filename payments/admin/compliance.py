"""What is owed to viewers, and whether it is kept: a page that reads the rows and says so."""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.generic import TemplateView
from unfold.admin import ModelAdmin

from config import clock
from payments import compliance

URL_NAME = "payments_priceplan_compliance"
#: Broken, not looked at, kept.
_ORDER = (False, None, True)


class CompliancePage(TemplateView):
    """Every rule with what was found, the broken ones first, then those that could not be looked at."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/compliance.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.view_priceplan"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        now = clock.now(request)
        findings = sorted(compliance.report(now=now), key=lambda one: _ORDER.index(one.is_kept))
        own = {
            "title": "Owed to viewers",
            "opts": self.model_admin.opts,
            "findings": findings,
            "broken_count": sum(finding.is_kept is False for finding in findings),
            "unseen_count": sum(finding.is_kept is None for finding in findings),
            "at": now,
        }
        context = self.get_context_data(**self.model_admin.admin_site.each_context(request), **own)
        return self.render_to_response(context)
