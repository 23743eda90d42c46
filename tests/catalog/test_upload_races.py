"""Twins that upload one file at once keep one copy of it."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from catalog import media
from catalog.models import MediaAsset
from tests.factories.catalog import mp4

THREADS = 6


@pytest.mark.django_db(transaction=True)
def test_twins_keep_one_file(now, own_media):
    content = mp4(200_000)
    barrier = Barrier(THREADS)

    def upload(_: int) -> bool:
        try:
            barrier.wait(timeout=10)
            _, is_unchanged = media.receive(
                sha256=hashlib.sha256(content).hexdigest(),
                content_type="video/mp4",
                stream=io.BytesIO(content),
                now=now,
            )
            return is_unchanged
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        unchanged = list(pool.map(upload, range(THREADS)))

    asset = MediaAsset.objects.get()
    assert sorted(unchanged) == [False] + [True] * (THREADS - 1)
    assert [path for path in own_media.rglob("*") if path.is_file()] == [
        own_media / asset.storage_key
    ]
