"""Exports in a bucket, against a real S3 service on loopback: a link leads to the bucket's own."""

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3  # type: ignore[import-untyped]
import pytest
from django.test import Client
from moto.server import ThreadedMotoServer

from analytics.exports import file_store, jobs, links
from analytics.exports.callers import Caller
from config import settings as configured
from tests.factories.analytics import EXPORTED, done_export
from tests.factories.viewers import clock_headers, pipeline_headers
from viewers.models import ApiKey, Scope

BUCKET = "cliffhanger-exports"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture
def bucket(settings: Any, own_lake: Path) -> Iterator[Any]:
    """An empty bucket, and exports in it, with the options the service configures."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    settings.STORAGES = settings.STORAGES | {
        "exports": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": configured._s3
            | {
                "bucket_name": BUCKET,
                "endpoint_url": url,
                "region_name": "us-east-1",
                "access_key": CREDENTIALS["aws_access_key_id"],
                "secret_key": CREDENTIALS["aws_secret_access_key"],
                "location": "exports",
                "file_overwrite": True,
            },
        }
    }
    s3 = boto3.resource("s3", endpoint_url=url, region_name="us-east-1", **CREDENTIALS)
    yield s3.create_bucket(Bucket=BUCKET)
    server.stop()


def test_a_link_leads_to_the_buckets_own_and_cancelling_empties_it(
    db: None, bucket: Any, now: datetime
) -> None:
    pipeline_headers(now=now, scopes=[Scope.ANALYTICS_READ])
    key = ApiKey.objects.latest("id")
    by = Caller(api_key_id=key.id)
    export = done_export(by=key, now=now)
    left = f"{export.id}/of-a-dead-worker.csv"
    file_store.save(left, BytesIO(EXPORTED))
    link, _ = links.address(export, by=by, now=now)

    answer = Client().get(link, headers=clock_headers(now))

    assert answer.status_code == 302
    assert f"/{BUCKET}/exports/{export.path}?" in answer["Location"]
    with urlopen(answer["Location"]) as response:  # noqa: S310
        assert response.read() == EXPORTED
        assert response.headers["Content-Disposition"] == 'attachment; filename="arpu.csv"'
    jobs.cancel(export, by=by, now=now)
    assert list(bucket.objects.all()) == []
