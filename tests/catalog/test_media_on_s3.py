"""Media in a bucket: a real S3 API over HTTP, through the same doors as the file system."""

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from catalog import playback
from catalog.models import MediaAsset
from config import settings as configured
from tests.factories.catalog import (
    EpisodeVersionFactory,
    SeriesFactory,
    mp4,
    png,
    stored_poster,
    stored_video,
)

BUCKET = "cliffhanger-media"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def bucket(s3_url: str, settings: Any, own_media: Any) -> Any:
    """An empty bucket, and default storage in it, with the options the service configures."""
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": configured._s3
            | {
                "bucket_name": BUCKET,
                "endpoint_url": s3_url,
                "region_name": "us-east-1",
                "access_key": CREDENTIALS["aws_access_key_id"],
                "secret_key": CREDENTIALS["aws_secret_access_key"],
            },
        }
    }
    s3 = boto3.resource("s3", endpoint_url=s3_url, region_name="us-east-1", **CREDENTIALS)
    bucket = s3.create_bucket(Bucket=BUCKET)
    yield bucket
    bucket.objects.delete()
    bucket.delete()


def _keys(bucket: Any) -> list[str]:
    return [item.key for item in bucket.objects.all()]


def test_keeps_an_upload_in_the_bucket_once(pipeline, bucket):
    content = mp4(300_000)
    sha256 = hashlib.sha256(content).hexdigest()

    first = pipeline.upload(sha256, content, "video/mp4")
    again = pipeline.upload(sha256, content, "video/mp4")

    asset = MediaAsset.objects.get()
    assert (first.status_code, first.json()["unchanged"]) == (200, False)
    assert (again.status_code, again.json()["unchanged"]) == (200, True)
    assert _keys(bucket) == [asset.storage_key]
    stored = bucket.Object(asset.storage_key).get()
    assert (stored["Body"].read(), stored["ContentType"]) == (content, "video/mp4")


def test_keeps_nothing_of_a_mistaken_upload(pipeline, bucket):
    response = pipeline.upload("a" * 64, mp4(), "video/mp4")

    assert (response.status_code, response.json()["code"]) == (422, "media_mismatch")
    assert _keys(bucket) == []


def test_plays_by_a_presigned_url_that_serves_ranges(now, settings, db):
    content = mp4(300_000)
    version = EpisodeVersionFactory(media=stored_video(content))

    issued = playback.issue(version=version, viewer_id=uuid4(), now=now)

    query = parse_qs(urlsplit(issued.url).query)
    assert urlsplit(issued.url).path == f"/{BUCKET}/{version.media.storage_key}"
    assert query["X-Amz-Expires"] == [str(settings.PLAYBACK_SECONDS)]
    with urlopen(Request(issued.url, headers={"Range": "bytes=1000-1999"})) as response:  # noqa: S310
        assert (response.status, response.read()) == (206, content[1000:2000])


def test_shows_a_poster_by_the_storages_own_url(api, db):
    series = SeriesFactory(poster=stored_poster())

    url = api.get(f"/v1/series/{series.id}").json()["poster_url"]

    with urlopen(url) as response:  # noqa: S310
        assert (response.read(), response.headers["Content-Type"]) == (png(), "image/png")


def test_a_name_in_the_bucket_opens_nothing_by_itself(now, s3_url, db):
    asset = stored_video()

    with pytest.raises(HTTPError) as refused:
        urlopen(f"{s3_url}/{BUCKET}/{asset.storage_key}")  # noqa: S310
    with refused.value:
        assert refused.value.code == 403
