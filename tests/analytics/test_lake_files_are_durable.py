"""A file of the lake is whole and on disk before anybody can name it."""

import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from analytics.lake import file_store

pytestmark = pytest.mark.usefixtures("own_lake")
NAME = "events/day=2026-03-14/flush.parquet"


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the disk, in order, by the names of the files."""
    made = []
    sync, replace = os.fsync, os.replace

    def noted_sync(descriptor):
        made.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        sync(descriptor)

    def noted_replace(source, target):
        made.append(("name", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return made


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files, by Linux")
def test_content_reaches_the_disk_before_its_name_and_the_name_after(own_lake, calls):
    assert file_store.storage().save(NAME, ContentFile(b"content")) == NAME

    *folders, content, name, entry = calls
    assert (content[0], content[1].endswith(".part")) == ("sync", True)
    assert [name, entry] == [("name", "flush.parquet"), ("sync", "day=2026-03-14")]
    # The new folders are entries of the folders above them.
    assert folders == [("sync", own_lake.parent.name), ("sync", "lake"), ("sync", "events")]


def test_a_file_is_replaced_under_its_name_and_nothing_is_left(own_lake):
    for content in (b"first", b"second"):
        file_store.storage().save(NAME, ContentFile(content))

    assert [path.read_bytes() for path in own_lake.rglob("*") if path.is_file()] == [b"second"]


def test_a_reader_keeps_the_file_that_it_opened(own_lake):
    file_store.storage().save(NAME, ContentFile(b"first"))
    with (own_lake / NAME).open("rb") as reader:
        file_store.storage().save(NAME, ContentFile(b"second"))
        assert reader.read() == b"first"
