"""Operators are made by command or by an owner, and nobody makes themselves a superuser."""

from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from config import roles
from config.second_factor import devices
from tests.factories.operators import SECRET, code_of, operator, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def run(*arguments: str) -> dict[str, str]:
    """What the command printed, by the word that each line begins with."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return dict(line.split(maxsplit=1) for line in out.getvalue().splitlines())


def can_sign_in(username: str, password: str) -> bool:
    client = Client()
    client.post("/admin/login/", {"username": username, "password": password})
    user = User.objects.get(username=username)
    client.post("/admin/second-factor/", {"code": code_of(user)})
    return client.get("/admin/").status_code == 200


def test_makes_an_operator_who_can_sign_in_at_once() -> None:
    roles.write()
    printed = run("create_operator", "dana", "--role", "support", "--role", "pricing")

    user = User.objects.get(username="dana")
    device = TOTPDevice.objects.get(user=user)
    otpauth = urlsplit(printed["otpauth"])
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert {group.name for group in user.groups.all()} == {"support", "pricing"}
    assert parse_qs(otpauth.query)["secret"] == [devices.written_secret(device)]
    assert len(printed["password"]) == 20
    assert can_sign_in("dana", printed["password"])


def test_takes_password_and_secret_from_files_and_prints_neither(tmp_path: Path) -> None:
    password, secret = tmp_path / "password", tmp_path / "secret"
    password.write_text("a tower of boiled plums\n")
    secret.write_text("OR3W K3TU PEQH GZLD OJSX IIDC PF2G K4ZB\n")

    printed = run(
        "create_operator",
        "dana",
        "--superuser",
        "--password-file",
        str(password),
        "--totp-secret-file",
        str(secret),
    )

    assert printed == {"operator": "dana"}
    device = TOTPDevice.objects.get(user__username="dana")
    assert device.bin_key == b"twenty secret bytes!"
    assert User.objects.get().is_superuser
    assert can_sign_in("dana", "a tower of boiled plums")


@pytest.mark.parametrize(
    ("password", "secret", "reason"),
    [
        ("plums", "", "too short"),
        ("password1234", "", "too common"),
        ("", "ABC1", "not base32"),
        ("", "MFRGG", "3 bytes"),
        ("", "A" * 80, "50 bytes"),
    ],
)
def test_refuses_weak_credentials(tmp_path: Path, password: str, secret: str, reason: str) -> None:
    arguments = ["create_operator", "dana"]
    for option, text in (("--password-file", password), ("--totp-secret-file", secret)):
        if text:
            file = tmp_path / option.strip("-")
            file.write_text(text)
            arguments += [option, str(file)]
    with pytest.raises(CommandError, match=reason):
        run(*arguments)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["dana", "--role", "janitor"], "no role named janitor"),
        (["dana dana"], "Enter a valid username"),
        (["dana", "--password-file", "/no/such/file"], "cannot be read"),
        (["dana", "--password-file", "/dev/null"], "is empty"),
    ],
)
def test_refuses_what_makes_no_operator(arguments: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run("create_operator", *arguments)
    assert not User.objects.exists()


def test_leaves_an_operator_alone_who_exists() -> None:
    operator("dana")
    with pytest.raises(CommandError, match="already exists"):
        run("create_operator", "dana", "--superuser")
    assert run("create_operator", "dana", "--superuser", "--if-missing") == {}
    assert not User.objects.get().is_superuser


def test_prints_codes_until_those_of_the_minute_are_used_up() -> None:
    user = operator("dana")
    out = StringIO()
    call_command("operator_code", "dana", stdout=out)
    for expected in (out.getvalue().strip(), None):
        code = code_of(user)
        assert expected in {None, code}
        assert devices.verify(user, code=code).user == user
    with pytest.raises(CommandError, match="used up"):
        call_command("operator_code", "dana")


def test_prints_no_code_in_production(settings: Settings) -> None:
    operator("dana")
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="In production only"):
        call_command("operator_code", "dana")


@pytest.mark.parametrize("command", ["operator_code", "forget_second_factor"])
def test_commands_name_an_operator_they_do_not_know(command: str) -> None:
    with pytest.raises(CommandError, match="no operator named nobody"):
        call_command(command, "nobody")


def test_lets_somebody_without_phone_and_codes_start_over() -> None:
    user = operator("dana")
    devices.replace_recovery_codes(user)
    client = signed_in(user)

    printed = run("forget_second_factor", "dana")

    assert client.get("/admin/").status_code == 302
    fresh = Client()
    fresh.post("/admin/login/", {"username": "dana", "password": printed["password"]})
    assert fresh.get("/admin/second-factor/enrol/").status_code == 200


def test_an_owner_adds_operators_and_gives_them_roles() -> None:
    client = signed_in(operator("owner", role="owner"))
    form = {"username": "sam", "password1": "boiled plum tower", "usable_password": "true"}
    answer = client.post("/admin/auth/user/add/", form | {"password2": form["password1"]})

    sam = User.objects.get(username="sam")
    assert answer.status_code == 302
    assert sam.is_staff
    support = Group.objects.get(name="support")
    change = {"username": "sam", "is_active": "on", "is_staff": "on", "groups": [support.id]}
    client.post(f"/admin/auth/user/{sam.id}/change/", change | {"is_superuser": "on"})
    sam.refresh_from_db()
    assert [group.name for group in sam.groups.all()] == ["support"]
    assert not sam.is_superuser


def test_a_superuser_is_out_of_an_owners_reach() -> None:
    root = operator("root", is_superuser=True)
    client = signed_in(operator("owner", role="owner"))
    password = {"password1": "boiled plum tower", "password2": "boiled plum tower"}
    page = f"/admin/auth/user/{root.id}"

    assert client.post(f"{page}/password/", password).status_code == 403
    assert client.post(f"{page}/change/", {"username": "gone"}).status_code == 403
    chosen = {"action": "start_over", "_selected_action": [root.id]}
    answer = client.post("/admin/auth/user/", chosen, follow=True)

    assert b"only another one may do this" in answer.content
    root.refresh_from_db()
    assert (root.username, root.has_usable_password()) == ("root", False)
    assert TOTPDevice.objects.get(user=root).bin_key == SECRET


def test_operators_are_never_deleted() -> None:
    client = signed_in(operator("root", is_superuser=True))
    other = operator("other")
    assert client.post(f"/admin/auth/user/{other.id}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [other.id], "post": "yes"}
    client.post("/admin/auth/user/", chosen)
    assert User.objects.filter(id=other.id).exists()
