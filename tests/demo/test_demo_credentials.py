"""The demo's credentials are kept in private files, and made anew only when they open nothing."""

import stat

import pytest
from django.contrib.auth.models import User

from config.second_factor import devices
from demo import credentials
from viewers import api_keys
from viewers.models import ApiKey, Scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "secrets"


def test_keeps_one_pipeline_key(folder, now) -> None:
    key = credentials.pipeline_key(folder, now=now)

    assert credentials.pipeline_key(folder, now=now) == key
    assert api_keys.authenticate(plaintext=key, now=now).scopes == [Scope.PIPELINE_WRITE]
    assert ApiKey.objects.count() == 1


def test_issues_another_key_when_the_kept_one_was_revoked(folder, now) -> None:
    key = credentials.pipeline_key(folder, now=now)
    api_keys.revoke(key=ApiKey.objects.get(), now=now)
    other = credentials.pipeline_key(folder, now=now)

    assert other != key
    assert credentials.pipeline_key(folder, now=now) == other


def test_makes_an_owner_with_a_second_factor(folder) -> None:
    owner = credentials.owner(folder)
    user = User.objects.get()

    assert owner.password is not None
    assert (user.username, user.is_staff, user.is_superuser) == ("owner", True, False)
    assert user.check_password(owner.password)
    assert [group.name for group in user.groups.all()] == ["owner"]
    assert devices.is_enrolled(user)


def test_finds_the_owner_again(folder) -> None:
    assert credentials.owner(folder) == credentials.owner(folder)
    assert User.objects.count() == 1


def test_does_not_show_a_password_that_was_changed(folder) -> None:
    credentials.owner(folder)
    user = User.objects.get()
    user.set_password("another long password")
    user.save()

    assert credentials.owner(folder).password is None


def test_makes_the_same_owner_in_an_empty_database(folder) -> None:
    before = credentials.owner(folder)
    secret = devices.TOTPDevice.objects.get().key
    devices.forget(User.objects.get())
    User.objects.all().delete()

    assert credentials.owner(folder) == before
    assert devices.TOTPDevice.objects.get().key == secret


def test_lets_nobody_else_read_them(folder, now) -> None:
    credentials.pipeline_key(folder, now=now)
    credentials.owner(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert sorted(file.name for file in folder.iterdir()) == [
        "owner_password",
        "owner_totp_secret",
        "pipeline_api_key",
    ]
