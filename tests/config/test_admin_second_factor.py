"""Staff reach nothing in the admin before a one-time code."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from config.second_factor import devices
from tests.factories.operators import (
    SECRET,
    admin_urls,
    code_of,
    operator,
    past_password,
    signed_in,
)

PASSWORD = "a tower of boiled plums"
LOGIN = "/admin/login/"
CODE = "/admin/second-factor/"
ENROL = "/admin/second-factor/enrol/"
SIGN_IN_PAGES = {"login", "logout", "second_factor", "second_factor_enrol"}
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Real time stands still until a test moves it."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def dana() -> User:
    user = operator("dana", is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def newcomer() -> User:
    return User.objects.create_user("newcomer", password=PASSWORD, is_staff=True)


def enter_password(username: str) -> Client:
    client = Client()
    answer = client.post(LOGIN, {"username": username, "password": PASSWORD})
    assert (answer.status_code, answer.url) == (302, "/admin/")
    return client


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


@pytest.mark.matrix(2)
@pytest.mark.parametrize(("is_enrolled", "step"), [(True, CODE), (False, ENROL)])
def test_no_url_answers_before_the_code(is_enrolled: bool, step: str) -> None:
    user = operator(is_superuser=True)
    if not is_enrolled:
        devices.forget(user)
    client = past_password(user)
    urls = dict(admin_urls(admin.site.get_urls()))
    assert len(urls) > 100

    closed = [url for name, url in urls.items() if name not in SIGN_IN_PAGES]
    for url in [*closed, "/admin/no/such/page/"]:
        for answer in (client.get(url), client.post(url)):
            assert answer.status_code == 302, (url, answer.status_code)
            assert answer.url.startswith(CODE), (url, answer.url)
    assert client.get(step).status_code == 200


def test_no_url_answers_anybody_else() -> None:
    watcher = User.objects.create(username="no staff")
    for client in (Client(), past_password(watcher)):
        for name, url in admin_urls(admin.site.get_urls()):
            if name in {"login", "logout"}:
                continue
            for answer in (client.get(url), client.post(url)):
                assert answer.status_code == 302, (url, answer.status_code)
                assert answer.url.startswith(LOGIN), (url, answer.url)


def test_the_admin_is_found_without_its_slash() -> None:
    assert Client().get("/admin").url == "/admin/"


def test_every_page_is_open_after_the_code(dana: User) -> None:
    client = signed_in(dana)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200, name
        assert client.get(reverse(f"{name}_add")).status_code in {200, 403}, name


def test_asks_for_the_code_after_the_password_and_goes_on_where_one_was_headed(dana: User) -> None:
    client = Client()
    wallets = "/admin/payments/wallet/"
    asked = client.get(wallets)
    answer = client.post(asked.url, {"username": "dana", "password": PASSWORD, "next": wallets})
    assert answer.url == wallets
    asked = client.get(wallets)
    assert asked.url == f"{CODE}?next={wallets}"
    assert b"authenticator app" in client.get(asked.url).content

    answer = client.post(asked.url, {"code": code_of(dana), "next": wallets})

    assert (answer.status_code, answer.url) == (302, wallets)
    assert client.get(wallets).status_code == 200


def test_takes_a_code_as_apps_show_it(dana: User) -> None:
    client = enter_password("dana")
    code = code_of(dana)
    client.post(CODE, {"code": f" {code[:3]} {code[3:]} "})
    assert is_in(client)


@pytest.mark.parametrize("code", ["000000", "", "12345", "1234567", "abcdefgh", "٣٤٥٦٧٨", "x" * 31])
def test_refuses_a_wrong_code(dana: User, code: str) -> None:
    client = enter_password("dana")
    answer = client.post(CODE, {"code": code})
    assert answer.status_code == 200
    assert answer.context["form"].errors["code"]
    assert not is_in(client)


def test_refuses_a_code_that_was_used(dana: User, clock: time_machine.Traveller) -> None:
    code = code_of(dana)
    first, second = enter_password("dana"), enter_password("dana")
    first.post(CODE, {"code": code})
    answer = second.post(CODE, {"code": code})
    assert is_in(first)
    assert b"wrong, or was used before" in answer.content
    assert not is_in(second)


def test_refuses_another_operators_code(dana: User, clock: time_machine.Traveller) -> None:
    other = operator("other")
    TOTPDevice.objects.filter(user=other).update(key=b"another twenty bytes".hex())
    client = enter_password("dana")
    client.post(CODE, {"code": code_of(other)})
    assert not is_in(client)


def test_takes_a_recovery_code_once(dana: User) -> None:
    codes = devices.replace_recovery_codes(dana)
    assert len(set(codes)) == devices.RECOVERY_CODES
    first, second = enter_password("dana"), enter_password("dana")

    answer = first.post(CODE, {"code": codes[0].upper()}, follow=True)

    assert b"9 are left" in answer.content
    assert is_in(first)
    second.post(CODE, {"code": codes[0]})
    assert not is_in(second)
    assert devices.recovery_codes_left(dana) == devices.RECOVERY_CODES - 1


def test_makes_new_recovery_codes_in_place_of_the_old(dana: User) -> None:
    old = devices.replace_recovery_codes(dana)
    client = signed_in(dana)
    page = "/admin/second-factor/recovery-codes/"
    assert b"10 of your recovery codes" in client.get(page).content

    shown = client.post(page).context["codes"]

    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert kept == set(shown)
    assert not kept & set(old)
    assert not any(code.encode() in client.get(page).content for code in shown)


def test_pauses_longer_after_each_wrong_code(dana: User, clock: time_machine.Traveller) -> None:
    client = enter_password("dana")
    for pause_seconds in (1, 2, 4):
        client.post(CODE, {"code": "000000"})
        early = client.post(CODE, {"code": code_of(dana)})
        assert f"looked at in {pause_seconds} s".encode() in early.content
        assert not is_in(client)
        clock.shift(timedelta(seconds=pause_seconds))
    client.post(CODE, {"code": code_of(dana)})
    assert is_in(client)


def test_a_pause_of_the_app_leaves_recovery_codes_open(dana: User) -> None:
    codes = devices.replace_recovery_codes(dana)
    client = enter_password("dana")
    client.post(CODE, {"code": "000000"})
    client.post(CODE, {"code": codes[0]})
    assert is_in(client)


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "//elsewhere.example/", "/\\evil"])
def test_sends_nobody_elsewhere(dana: User, url: str) -> None:
    client = enter_password("dana")
    answer = client.post(CODE, {"code": code_of(dana), "next": url})
    assert answer.url == "/admin/"


def test_changes_the_session_key_with_the_code(dana: User) -> None:
    client = enter_password("dana")
    before = client.cookies["sessionid"].value
    client.post(CODE, {"code": code_of(dana)})
    assert client.cookies["sessionid"].value != before


def test_ends_a_session_eight_hours_after_the_password(
    dana: User, clock: time_machine.Traveller
) -> None:
    client = enter_password("dana")
    client.post(CODE, {"code": code_of(dana)})
    for _ in range(8):
        assert is_in(client)
        session = client.session
        session["busy"] = True
        session.save()
        clock.shift(timedelta(hours=1))
    clock.shift(timedelta(seconds=1))
    assert client.get("/admin/").url.startswith(LOGIN)


def test_enrols_a_newcomer(newcomer: User, clock: time_machine.Traveller) -> None:
    client = enter_password("newcomer")
    assert client.get(client.get("/admin/").url).url.startswith(ENROL)
    page = client.get(ENROL)
    pending = TOTPDevice.objects.get(user=newcomer)
    secret = devices.written_secret(pending)
    assert not pending.confirmed
    assert secret in page.content.decode().replace(" ", "")
    assert b"<svg" in page.content
    assert page.headers["Cache-Control"].startswith("max-age=0")

    wrong = client.post(ENROL, {"code": "000000"})
    assert b"not the code your app shows" in wrong.content
    assert not is_in(client)
    clock.shift(timedelta(seconds=2))
    pending.confirmed = True  # only to read the code of a device that is not confirmed yet
    code = _code(pending)
    answer = client.post(ENROL, {"code": code})

    codes = answer.context["codes"]
    assert len(codes) == devices.RECOVERY_CODES
    assert all(code.encode() in answer.content for code in codes)
    assert is_in(client)
    assert client.get(ENROL).url == "/admin/"
    again = enter_password("newcomer")
    again.post(CODE, {"code": codes[0]})
    assert is_in(again)


def test_shows_the_same_secret_until_it_is_confirmed(newcomer: User) -> None:
    client = enter_password("newcomer")
    assert client.get(ENROL).context["secret"] == client.get(ENROL).context["secret"]


def test_a_secret_that_another_session_saw_is_good_for_nothing(newcomer: User) -> None:
    thief, owner = enter_password("newcomer"), enter_password("newcomer")
    thief.get(ENROL)
    stolen = TOTPDevice.objects.get(user=newcomer)
    owner.get(ENROL)

    answer = thief.post(ENROL, {"code": _code(stolen)})

    assert b"replaced by another one" in answer.content
    assert not is_in(thief)
    assert not devices.is_enrolled(newcomer)


def test_a_password_alone_adds_no_factor_to_an_enrolled_account(dana: User) -> None:
    client = enter_password("dana")
    pending = TOTPDevice.objects.create(user=dana, name="planted", confirmed=False)
    session = client.session
    session["second_factor_pending_id"] = pending.id
    session.save()
    for answer in (client.get(ENROL), client.post(ENROL, {"code": _code(pending)})):
        assert answer.url.startswith(CODE)
    with pytest.raises(devices.CodeRefused):
        devices.confirm_enrolment(dana, pending_id=pending.id, code=_code(pending))
    client.post(CODE, {"code": _code(pending)})
    assert not is_in(client)


def test_forgetting_a_factor_ends_the_sessions_that_could_enrol_another(dana: User) -> None:
    colleague = signed_in(operator("root", is_superuser=True))
    client, half_way = signed_in(dana), past_password(dana)
    devices.replace_recovery_codes(dana)

    answer = colleague.post(
        "/admin/auth/user/",
        {"action": "start_over", "_selected_action": [dana.id]},
        follow=True,
    )

    password = str(next(iter(answer.context["messages"]))).rpartition(" ")[2]
    assert client.get("/admin/").url.startswith(LOGIN)
    assert half_way.get(ENROL).url.startswith(LOGIN)
    assert not TOTPDevice.objects.filter(user=dana).exists()
    assert not StaticDevice.objects.filter(user=dana).exists()
    fresh = Client()
    fresh.post(LOGIN, {"username": "dana", "password": password})
    assert fresh.get(ENROL).status_code == 200


def test_shows_nobody_the_secrets_of_others(dana: User) -> None:
    assert not admin.site.is_registered(TOTPDevice)
    assert not admin.site.is_registered(StaticDevice)
    client = signed_in(dana)
    assert SECRET.hex().encode() not in client.get(f"/admin/auth/user/{dana.id}/change/").content
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404


def test_asks_for_no_code_where_it_is_switched_off(newcomer: User, settings: Settings) -> None:
    settings.ADMIN_SECOND_FACTOR = False
    assert is_in(enter_password("newcomer"))
    assert Client().get("/admin/").url.startswith(LOGIN)


def test_production_refuses_to_go_without(settings: Settings) -> None:
    settings.PRODUCTION = True
    settings.ADMIN_SECOND_FACTOR = False
    assert "cliffhanger.E008" in {message.id for message in run_checks()}
    settings.ADMIN_SECOND_FACTOR = True
    assert "cliffhanger.E008" not in {message.id for message in run_checks()}


def _code(device: TOTPDevice) -> str:
    """The present code of any device, confirmed or not."""
    present = int(datetime.now(UTC).timestamp()) // device.step  # noqa: TID251  real, as the app's
    return f"{devices.hotp(device.bin_key, present):06d}"
