"""`manage.py issue_api_key` and `manage.py new_key`."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from config import clock, keyring
from viewers import api_keys
from viewers.models import ApiKey


def run(capsys, *words):
    call_command(*words)
    return capsys.readouterr().out.removesuffix("\n")


def test_prints_the_plaintext_of_a_working_key(db, capsys):
    scopes = ["--scope", "pipeline:write", "--scope", "pipeline:read"]
    plaintext = run(capsys, "issue_api_key", "cut machine", *scopes)

    key = api_keys.authenticate(plaintext=plaintext, now=clock.read())
    assert (key.name, key.scopes) == ("cut machine", ["pipeline:read", "pipeline:write"])
    assert key.expires_at is None


def test_limits_the_life_of_a_key(db, capsys):
    run(capsys, "issue_api_key", "k", "--scope", "pipeline:read", "--days", "30")

    key = ApiKey.objects.get()
    assert key.expires_at == key.created_at + timedelta(days=30)


@pytest.mark.parametrize(
    "words",
    [
        ["k"],
        ["k", "--scope", "everything"],
        ["", "--scope", "pipeline:read"],
        ["x" * 101, "--scope", "pipeline:read"],
        ["k", "--scope", "pipeline:read", "--days", "0"],
        ["k", "--scope", "pipeline:read", "--days", "999999999999"],
        ["k", "--scope", "pipeline:read", "--days", "soon"],
    ],
)
def test_issues_no_key_that_is_wrong(db, words):
    with pytest.raises(CommandError):
        call_command("issue_api_key", *words)
    assert ApiKey.objects.count() == 0


def test_prints_a_ring_entry_that_can_be_used(capsys):
    first, second = run(capsys, "new_key"), run(capsys, "new_key")

    assert len(keyring.parse(f"{first},{second}")) == 2


def test_names_the_ring_entry_as_told(capsys):
    assert list(keyring.parse(run(capsys, "new_key", "spring27"))) == ["spring27"]


def test_names_no_ring_entry_that_could_not_be_read(capsys):
    with pytest.raises(CommandError, match="letters and digits"):
        call_command("new_key", "a:b")
