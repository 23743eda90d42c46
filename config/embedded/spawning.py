"""Starting the supervisor, from any process that needs one."""

import os
import subprocess
import sys
from pathlib import Path

from config.embedded import journal, state
from config.embedded.errors import EmbeddedServicesError
from config.embedded.places import Places
from config.embedded.state import Phase, State

_PROJECT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONHOME", "VIRTUAL_ENV")


def spawn(places: Places, lock_descriptor: int, *, durable: bool) -> None:
    """Start a supervisor, detached, and hand it the supervisor's lock, which the caller holds.

    It is told nothing of our secrets: only a few variables are passed on. Returns when it runs on
    its own. Raises EmbeddedServicesError when it cannot be started.
    """
    state.write(places, State(phase=Phase.STARTING, durable=durable))
    command = [sys.executable, "-m", "config.embedded.supervisor"]
    command += [str(places.data_dir), str(lock_descriptor)]
    output = journal.open_journal(places)
    try:
        launcher = subprocess.Popen(  # noqa: S603  this very program
            command if durable else [*command, "--not-durable"],
            cwd=_PROJECT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock_descriptor,),
            start_new_session=True,
        )
        code = launcher.wait(timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedServicesError(f"The supervisor cannot be started: {error}") from error
    finally:
        os.close(output)
    if code != 0:
        raise EmbeddedServicesError(f"The supervisor cannot be started:\n{journal.tail(places)}")


def _environment() -> dict[str, str]:
    """The few variables a supervisor needs, and our module path, so that it finds what we found."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
