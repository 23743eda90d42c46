"""The API description says which credential each operation takes."""

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests.viewers.guarded_urls import urlpatterns


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True)


def test_defines_both_credentials(document):
    schemes = document["components"]["securitySchemes"]

    assert set(schemes) == {"viewerToken", "apiKey"}
    assert {scheme["scheme"] for scheme in schemes.values()} == {"bearer"}
    assert schemes["viewerToken"]["bearerFormat"] == "JWT"


@pytest.mark.parametrize(
    ("path", "method", "security"),
    [
        ("/v1/me", "get", [{"viewerToken": []}]),
        ("/v1/for-writers", "get", [{"apiKey": []}]),
        ("/v1/viewers", "post", None),
        ("/v1/viewers/tokens", "post", None),
        ("/v1/config", "get", None),
    ],
)
def test_names_the_credential_of_each_operation(document, path, method, security):
    assert document["paths"][path][method].get("security") == security


def test_describes_what_registration_takes(document):
    shape = document["components"]["schemas"]["GuestRegistration"]

    assert shape["required"] == ["install_id", "platform"]
    assert shape["additionalProperties"] is False
    assert shape["properties"]["region"]["maxLength"] == 2
