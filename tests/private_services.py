"""A pytest plugin, loaded before Django's settings: the suite's own services, and test mode.

Unless DATABASE_URL names a database to use, the suite runs on a private embedded instance in a
temporary folder. Workers of pytest-xdist inherit the controller's choice through the environment.
"""

import atexit
import os
import shutil
import signal
import tempfile

os.environ["APP_MODE"] = "test"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite started in the background ignores Ctrl-C, and so would every process it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if "DATA_DIR" not in os.environ:
    _folder = tempfile.mkdtemp(prefix="cliffhanger-test-")
    os.chmod(_folder, 0o711)  # noqa: S103  an unprivileged uid serves it when root runs the suite
    os.environ["DATA_DIR"] = _folder
    os.environ["EMBEDDED_DURABLE"] = "off"
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
