"""Who calls: a viewer by access token, or a machine by API key. Neither opens the other's door."""

import re
from typing import Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import clock
from config.endpoints import Endpoint
from config.problems import Problem
from viewers import api_keys, tokens
from viewers.models import ApiKey, Scope
from viewers.tokens import AccessToken

#: One space, and no check of the credential: what follows is the verifier's to judge.
_BEARER = re.compile(r"bearer (.*)", re.IGNORECASE | re.DOTALL)


class NotAuthenticated(Problem):
    code = "not_authenticated"
    title = "This takes an Authorization header with a bearer credential"


class ViewerAuthentication(BaseAuthentication):
    """`request.auth` becomes the AccessToken; there is no user, for viewers are not staff."""

    def authenticate(self, request: Request) -> tuple[None, AccessToken]:
        """Raises NotAuthenticated, TokenInvalid or TokenExpired."""
        return None, tokens.verify(_credential(request), now=_now(request))


class ApiKeyAuthentication(BaseAuthentication):
    """`request.auth` becomes the ApiKey."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        """Raises NotAuthenticated or ApiKeyInvalid."""
        return None, api_keys.authenticate(plaintext=_credential(request), now=_now(request))


class HasRequiredScope(BasePermission):
    """Lets a key through that carries the endpoint's scope. Raises ScopeMissing."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(view, MachineEndpoint) or not isinstance(request.auth, ApiKey):
            return False
        api_keys.require(key=request.auth, scope=view.required_scope)
        return True


class UnstoredEndpoint(Endpoint):
    """Answers that no cache may keep, unless the handler says otherwise."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", "no-store")
        return final


class ViewerEndpoint(UnstoredEndpoint):
    """Base of what a viewer calls for themselves."""

    authentication_classes = [ViewerAuthentication]

    @property
    def viewer(self) -> AccessToken:
        """The caller, as their access token states them; no row has been read."""
        token = self.request.auth
        if not isinstance(token, AccessToken):
            raise NotAuthenticated
        return token


class MachineEndpoint(UnstoredEndpoint):
    """Base of what a machine calls, with a key that carries `required_scope`."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasRequiredScope]
    required_scope: ClassVar[Scope]

    @property
    def api_key(self) -> ApiKey:
        """The caller's key."""
        key = self.request.auth
        if not isinstance(key, ApiKey):
            raise NotAuthenticated
        return key


class PipelineEndpoint(MachineEndpoint):
    """Base of what the generation pipeline calls."""


class AnalystEndpoint(MachineEndpoint):
    """Base of what analysts' tools call."""

    required_scope = Scope.ANALYTICS_READ


def _credential(request: Request) -> str:
    form = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if form is None:
        raise NotAuthenticated
    return form[1]


def _now(request: Request) -> Any:
    return clock.now(request._request)  # noqa: SLF001
