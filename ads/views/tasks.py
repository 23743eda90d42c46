"""Tasks: what can be earned, claiming it, and the zone in which the viewer's days begin."""

from datetime import datetime

from rest_framework.request import Request
from rest_framework.response import Response

from ads import task_rendering
from ads.growth import check_ins, claims, offered
from ads.growth.offered import Caller
from ads.models import TaskKind
from ads.task_shapes import (
    ClaimAnswer,
    ClaimRequest,
    TasksAnswer,
    TasksQuery,
    ZoneAnswer,
    ZoneRequest,
)
from catalog.rendering import asked_by
from config import client_address
from config.endpoints import operation
from payments.ledger import wallets
from viewers import profiles
from viewers.authentication import ViewerEndpoint
from viewers.tokens import AccessToken


def caller(token: AccessToken) -> Caller:
    """The rows behind a token. Raises TokenInvalid if they are gone."""
    device = profiles.device_of(token)
    return Caller(device.viewer, device, token.environment)


class MyTasks(ViewerEndpoint):
    @operation(
        summary="What can be earned, and how far it is", query=TasksQuery, answer=TasksAnswer
    )
    def get(self, request: Request, *, now: datetime, query: TasksQuery) -> TasksAnswer:
        """The tasks that are on for this viewer and device, each in its present period, and the
        check-in calendar. Seconds are counted as events reach the lake, some seconds after they
        were reported."""
        who, asked = caller(self.viewer), asked_by(request, query.locale)
        tasks = offered.tasks(who, now=now)
        calendars = [
            check_ins.standing(who, task, now=now)
            for task in tasks
            if task.kind == TaskKind.CHECK_IN
        ]
        return TasksAnswer(
            tasks=[
                task_rendering.task(one, asked=asked)
                for one in offered.standings(who, tasks, now=now)
            ],
            check_in=next(
                (task_rendering.check_in(one, asked=asked) for one in calendars if one), None
            ),
            watched_today_seconds=offered.watched_seconds(
                viewer_id=who.viewer.id, environment=who.environment, now=now
            ),
        )


class ClaimTask(ViewerEndpoint):
    @operation(
        summary="Claim what a task gives",
        body=ClaimRequest,
        answer=ClaimAnswer,
        refusals=[
            claims.TaskUnknown,
            claims.TaskNotReached,
            claims.TaskPeriodOver,
            claims.TaskBudgetSpent,
            claims.TaskWithheld,
            check_ins.CheckInNotYet,
        ],
        also_statuses=[201],
    )
    def post(self, request: Request, *, now: datetime, body: ClaimRequest, code: str) -> Response:
        """Once for each period: 201 when this call gave the coins, 200 when an earlier one did. Of
        notifications the claim itself is the app's word that they are on."""
        claimed = claims.claim(
            caller(self.viewer),
            code=code,
            period=body.period,
            address=client_address.read(self.http_request()),
            now=now,
        )
        now_spendable = wallets.balance(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, at=now
        )
        status = 201 if claimed.is_new else 200
        return Response(task_rendering.claim(claimed, now_spendable=now_spendable), status=status)


class MyZone(ViewerEndpoint):
    @operation(
        summary="Say where the viewer's days begin",
        body=ZoneRequest,
        answer=ZoneAnswer,
        refusals=[check_ins.ZoneUnknown, check_ins.ZoneSetBefore],
    )
    def put(self, request: Request, *, now: datetime, body: ZoneRequest) -> ZoneAnswer:
        """For check-ins alone. After the first choice it may be changed again at `zone_changes_at`;
        the zone that it is already is no change."""
        changes_at = check_ins.set_zone(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            zone=body.zone,
            now=now,
        )
        return ZoneAnswer(zone=body.zone, zone_changes_at=changes_at)
