"""Access tokens while the key ring turns."""

import pytest

from config import keyring
from tests.factories.viewers import DeviceFactory
from viewers import tokens

OLD, NEW = keyring.generate("old1"), keyring.generate("new2")


@pytest.fixture
def device(db):
    return DeviceFactory()


def test_an_old_key_verifies_while_it_is_in_the_ring(device, now, settings):
    settings.KEYRING = OLD
    token, _ = tokens.sign(device, now=now)

    settings.KEYRING = f"{NEW},{OLD}"
    assert tokens.verify(token, now=now).viewer_id == device.viewer_id


def test_the_first_key_of_the_ring_signs(device, now, settings):
    settings.KEYRING = f"{NEW},{OLD}"
    token, _ = tokens.sign(device, now=now)

    settings.KEYRING = NEW
    assert tokens.verify(token, now=now).viewer_id == device.viewer_id


def test_a_key_that_left_the_ring_verifies_nothing(device, now, settings):
    settings.KEYRING = OLD
    token, _ = tokens.sign(device, now=now)

    settings.KEYRING = NEW
    with pytest.raises(tokens.TokenInvalid):
        tokens.verify(token, now=now)


def test_another_secret_under_the_same_id_verifies_nothing(device, now, settings):
    settings.KEYRING = OLD
    token, _ = tokens.sign(device, now=now)

    settings.KEYRING = keyring.generate("old1")
    with pytest.raises(tokens.TokenInvalid):
        tokens.verify(token, now=now)
