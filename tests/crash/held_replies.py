"""The web server's entry point in a crash test: the project's own, and a point behind it.

Between COMMIT and the reply no trigger can wait, so this does: a reply that is sought is held,
unsent. Each process also names itself to Postgres, so that a session that waits in a trigger says
whose it is.
"""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.conf import settings
from django.http import HttpResponse

from config.wsgi import application as project
from tests.crash.reply_hold import ReplyHold

# Read by libpq for each connection; none is open yet.
os.environ["PGAPPNAME"] = f"web-{os.getpid()}"
_hold = ReplyHold(settings.DATA_DIR)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers as the project does, and holds the reply that is sought."""
    answer = project(environ, start_response)
    sought = _hold.sought()
    if sought is not None and sought.path in environ["PATH_INFO"]:
        assert isinstance(answer, HttpResponse)
        if all(part.encode() in answer.content for part in sought.says):
            _hold.wait()
    return answer
