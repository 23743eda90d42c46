"""What operators may do with viewers and keys in the admin."""

from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from config import clock
from tests.factories.viewers import DeviceFactory, ViewerFactory
from viewers import api_keys
from viewers.models import ApiKey, Environment, Identity, RefreshToken, Scope, Viewer

NO_INLINES = {
    f"{inline}-{count}_FORMS": "0"
    for inline in ("devices", "identities")
    for count in ("TOTAL", "INITIAL")
}


@pytest.fixture
def staff(db, settings):
    """An operator's browser; the second factor is not this file's concern."""
    settings.ADMIN_SECOND_FACTOR = False
    browser = Client()
    browser.force_login(User.objects.create_superuser("operator"))
    return browser


@pytest.fixture
def reader(db, settings):
    """Somebody who may look at everything here, and no more."""
    settings.ADMIN_SECOND_FACTOR = False
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    browser = Client()
    browser.force_login(user)
    return browser


def issue(**given):
    now = clock.read()
    return api_keys.issue(name="cut machine", scopes=[Scope.PIPELINE_READ], now=now, **given)


def test_finds_a_viewer_by_id(staff):
    wanted, other = ViewerFactory(), ViewerFactory()
    page = staff.get("/admin/viewers/viewer/", {"q": f" {wanted.id} "}).content.decode()

    assert str(wanted.id) in page
    assert str(other.id) not in page


@pytest.mark.parametrize("term", ["0d9a", "' OR 1=1", "x" * 3000])
def test_finds_nobody_by_anything_else(staff, term):
    viewer = ViewerFactory()
    response = staff.get("/admin/viewers/viewer/", {"q": term})

    assert response.status_code == 200
    assert str(viewer.id) not in response.content.decode()


def test_moves_a_tester_to_the_sandbox_and_changes_nothing_else(staff):
    device = DeviceFactory()
    Identity.objects.create(
        viewer=device.viewer, provider="wechat", issuer_app="wx1", subject="o1",
        created_at=device.created_at,
    )  # fmt: skip
    url = f"/admin/viewers/viewer/{device.viewer_id}/change/"
    page = staff.get(url).content.decode()
    form = {"environment": "sandbox", "locale": "xx", "region": "ZZ"} | NO_INLINES
    response = staff.post(url, form)

    assert str(device.install_id) in page
    assert "wx1" in page
    assert response.status_code == 302
    viewer = Viewer.objects.get()
    assert (viewer.environment, viewer.locale, viewer.region) == (Environment.SANDBOX, "en", "US")
    assert LogEntry.objects.get().object_id == str(viewer.id)


@pytest.mark.parametrize("page", ["viewer/add/", "viewer/{id}/delete/"])
def test_neither_makes_nor_deletes_viewers(staff, page):
    viewer = ViewerFactory()

    assert staff.post(f"/admin/viewers/{page.format(id=viewer.id)}").status_code == 403
    assert Viewer.objects.count() == 1


def test_a_reader_moves_nobody(reader):
    viewer = ViewerFactory()
    url = f"/admin/viewers/viewer/{viewer.id}/change/"

    assert reader.get(url).status_code == 200
    assert reader.post(url, {"environment": "sandbox"}).status_code == 403
    assert Viewer.objects.get().environment == Environment.PRODUCTION


def test_issues_a_key_and_shows_it_once(staff):
    form = {
        "name": "cut machine",
        "scopes": ["pipeline:write"],
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = staff.post("/admin/viewers/apikey/add/", form, follow=True).content.decode()

    key = ApiKey.objects.get()
    plaintext = page.split("not shown again: ")[1].split("<")[0].strip()
    assert api_keys.authenticate(plaintext=plaintext, now=clock.read()) == key
    assert (key.name, key.scopes) == ("cut machine", ["pipeline:write"])
    assert LogEntry.objects.get().object_id == str(key.id)
    assert plaintext not in LogEntry.objects.get().change_message
    for again in ("", f"{key.id}/change/"):
        shown = staff.get(f"/admin/viewers/apikey/{again}").content.decode()
        assert key.prefix in shown
        assert plaintext not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ],
)
def test_issues_no_key_that_is_wrong(staff, wrong):
    form = {"name": "k", "scopes": ["pipeline:read"], "expires_at_0": "", "expires_at_1": ""}

    assert staff.post("/admin/viewers/apikey/add/", form | wrong).status_code == 200
    assert ApiKey.objects.count() == 0


def revoke(browser, key):
    action = {"action": "revoke", "_selected_action": [str(key.id)]}
    return browser.post("/admin/viewers/apikey/", action, follow=True)


def test_revokes_a_key(staff):
    key, plaintext = issue(expires_at=clock.read() + timedelta(days=1))
    revoke(staff, key)

    with pytest.raises(api_keys.ApiKeyInvalid):
        api_keys.authenticate(plaintext=plaintext, now=clock.read())
    assert LogEntry.objects.get().change_message == "Revoked."


def test_a_reader_revokes_and_issues_nothing(reader):
    key, plaintext = issue()

    assert revoke(reader, key).status_code == 200
    assert reader.get("/admin/viewers/apikey/add/").status_code == 403
    assert api_keys.authenticate(plaintext=plaintext, now=clock.read()) == key


def test_edits_and_deletes_no_key(staff):
    key, _ = issue()
    form = {"name": "other", "scopes": ["pipeline:write"]}

    assert staff.post(f"/admin/viewers/apikey/{key.id}/change/", form).status_code == 403
    assert staff.post(f"/admin/viewers/apikey/{key.id}/delete/").status_code == 403
    assert ApiKey.objects.get().name == "cut machine"


def test_shows_no_refresh_tokens():
    assert not site.is_registered(RefreshToken)
