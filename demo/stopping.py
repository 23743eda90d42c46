"""Being asked to stop, by Ctrl-C or a signal, as one exception that is raised once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked us to stop. Not an Exception, so that no handler of errors swallows it."""

    def __init__(self, sign: int) -> None:
        super().__init__(signal.Signals(sign).name)
        self.exit_code = 128 + sign


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first signal raises Stopped; later ones are ignored, so that cleaning up ends.

    A signal that was ignored before, as SIGHUP is under nohup, stays ignored.
    """
    handled = [sign for sign in SIGNALS if signal.getsignal(sign) is not signal.SIG_IGN]

    def stop(sign: int, _frame: FrameType | None) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(sign)

    before = {sign: signal.signal(sign, stop) for sign in handled}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@contextmanager
def unstoppable() -> Iterator[None]:
    """Inside, signals are ignored: for what must not be left half done, and does not take long."""
    before = {sign: signal.signal(sign, signal.SIG_IGN) for sign in SIGNALS}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
