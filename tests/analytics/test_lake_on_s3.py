"""The lake in a bucket, against a real S3 service on loopback."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from analytics import tasks
from analytics.intake import inbox
from analytics.lake import erasing, merging, orphans, reading
from analytics.models import LakeFile
from config import clock
from config import settings as configured
from tests.factories.events import app_open, body
from tests.factories.viewers import ViewerFactory

BUCKET = "cliffhanger-lake"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def bucket(s3_url: str, settings: Any, own_lake: Any) -> Any:
    """An empty bucket, and the lake in it, with the options the service configures."""
    settings.STORAGES = settings.STORAGES | {
        "lake": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": configured._s3
            | {
                "bucket_name": BUCKET,
                "endpoint_url": s3_url,
                "region_name": "us-east-1",
                "access_key": CREDENTIALS["aws_access_key_id"],
                "secret_key": CREDENTIALS["aws_secret_access_key"],
                "location": "lake",
                "file_overwrite": True,
            },
        }
    }
    s3 = boto3.resource("s3", endpoint_url=s3_url, region_name="us-east-1", **CREDENTIALS)
    bucket = s3.create_bucket(Bucket=BUCKET)
    yield bucket
    bucket.objects.delete()
    bucket.delete()


def _count():
    with reading.connection() as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM events").fetchall()
    return count


@pytest.mark.django_db(transaction=True)
def test_files_go_to_the_bucket_and_are_fetched_once_to_be_read(now, bucket, own_lake):
    sent = body([app_open(at=now), app_open(at=now)], sent_at=now)
    inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=now)

    tasks.flush_events()

    path = LakeFile.objects.get().path
    assert [item.key for item in bucket.objects.all()] == [f"lake/{path}"]
    assert not own_lake.exists()
    assert _count() == 2
    bucket.objects.delete()
    assert _count() == 2
    assert [file.name for file in (own_lake.parent / "lake-cache").rglob("*.parquet")] == [
        path.rpartition("/")[2]
    ]


@pytest.mark.django_db(transaction=True)
def test_files_are_merged_erased_and_swept_in_the_bucket(now, bucket):
    """The same code as on disk. What nothing names is a day old by the bucket's own clock."""
    gone = ViewerFactory(erased_at=now)
    for second in range(2):
        at = now + timedelta(seconds=second)
        sent = body([app_open(at=at)], sent_at=at)
        inbox.receive(viewer_id=gone.id, environment="production", body=sent, now=at)
        tasks.flush_events()
    bucket.put_object(Key="lake/events/day=2026-03-14/orphan.parquet", Body=b"left")

    later = clock.read() + merging.LONGEST_WAIT
    assert merging.merge_next(now=later) == 2
    assert erasing.erase_due(now=later) == 1
    assert merging.delete_retired(now=later + merging.KEPT_RETIRED) == 3

    live = LakeFile.objects.get()
    keys = {item.key for item in bucket.objects.all()}
    assert keys == {f"lake/{live.path}", "lake/events/day=2026-03-14/orphan.parquet"}
    with reading.connection() as opened:
        names = {name for (name,) in opened.execute("SELECT viewer_id FROM events").fetchall()}
    assert len(names - {str(gone.id)}) == len(names) == 1
    soon = max(item.last_modified for item in bucket.objects.all()) + orphans.OLD
    assert orphans.sweep(now=soon - timedelta(minutes=5)) == 0
    assert orphans.sweep(now=soon + timedelta(minutes=5)) == 1
    assert [item.key for item in bucket.objects.all()] == [f"lake/{live.path}"]
    assert _count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_machine_that_only_reads_forgets_what_is_gone_within_an_hour_of_its_first_day(
    now, bucket, own_lake
):
    sent = body([app_open(at=now)], sent_at=now)
    inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=now)
    tasks.flush_events()
    cache = own_lake.parent / "lake-cache"
    assert (_count(), _count()) == (1, 1)
    gone = cache / "events" / "day=2026-03-14" / "gone.parquet"
    gone.write_bytes(b"of somebody who was erased")
    day_ago = time.time() - 86_400
    os.utime(gone, (day_ago, day_ago))

    _count()
    assert gone.exists(), "looked at within the hour"
    os.utime(cache / ".tended", (day_ago, day_ago))
    _count()

    names = {file.name for file in cache.rglob("*.parquet")}
    assert names == {LakeFile.objects.get().path.rpartition("/")[2]}
