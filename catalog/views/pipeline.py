"""What the generation pipeline pushes: media first, then the series that name it."""

from datetime import datetime
from http import HTTPStatus

from rest_framework.request import Request
from rest_framework.response import Response

from catalog import ingest, media
from catalog.faults import SeriesInvalid
from catalog.ingest import MediaMissing
from catalog.media import MediaMismatch
from catalog.models import MediaAsset, Series
from catalog.pushes import ExternalId, SeriesPush, Sha256
from catalog.shapes import MediaKept, PushedEpisode, SeriesPushed
from config import bodies
from config.endpoints import operation, path_parameter
from config.problems import BodyTooLarge
from viewers.authentication import PipelineEndpoint
from viewers.models import Scope

SERIES_BODY_BYTES = 4 * 1024 * 1024


class SeriesPushEndpoint(PipelineEndpoint):
    required_scope = Scope.PIPELINE_WRITE

    @operation(
        summary="Push a series",
        body=SeriesPush,
        answer=SeriesPushed,
        refusals=(SeriesInvalid, MediaMissing),
        parameters=[path_parameter("external_id", ExternalId)],
        limit_bytes=SERIES_BODY_BYTES,
        also_statuses=[HTTPStatus.CREATED],
    )
    def put(
        self, request: Request, *, now: datetime, body: SeriesPush, external_id: str
    ) -> Response:
        """Makes the series what the body says, whole; the same push twice changes nothing.

        201 when it is new. Episodes left out are withdrawn, never deleted; an episode is known by
        its `external_id`, so its number may change. A version never changes once pushed.
        """
        done = ingest.ingest(
            external_id=bodies.read_part(external_id, ExternalId), push=body, now=now
        )
        answer = SeriesPushed(
            series_id=done.series.id,
            external_id=done.series.external_id,
            state=Series.State(done.series.state),
            created=done.is_created,
            unchanged=done.is_unchanged,
            episodes=[
                PushedEpisode(
                    external_id=episode.external_id,
                    episode_id=episode.episode_id,
                    version_id=episode.version_id,
                )
                for episode in done.episodes
            ],
        )
        return Response(answer, status=HTTPStatus.CREATED if done.is_created else HTTPStatus.OK)


class MediaUploadEndpoint(PipelineEndpoint):
    required_scope = Scope.PIPELINE_WRITE

    @operation(
        summary="Upload a poster or a video",
        answer=MediaKept,
        parameters=[path_parameter("sha256", Sha256)],
        refusals=(MediaMismatch, BodyTooLarge),
        raw_body_types=list(media.KINDS),
    )
    def put(self, request: Request, *, now: datetime, sha256: str) -> MediaKept:
        """The body is the file, addressed by the SHA-256 of its bytes in lower-case hex.

        The same file twice is kept once. Files are never served by this address.
        """
        plain = self.http_request()
        asset, is_unchanged = media.receive(
            sha256=bodies.read_part(sha256, Sha256),
            content_type=plain.content_type or "",
            stream=plain,
            declared_bytes=_declared_bytes(request),
            now=now,
        )
        return MediaKept(
            sha256=asset.sha256,
            size_bytes=asset.size_bytes,
            content_type=asset.content_type,
            purpose=MediaAsset.Purpose(asset.purpose),
            unchanged=is_unchanged,
        )


def _declared_bytes(request: Request) -> int:
    declared = request.headers.get("Content-Length", "")
    return int(declared) if declared.isdecimal() and len(declared) < 19 else 0
