"""A pytest plugin, loaded before Django's settings: the suite's own services, and test mode.

Unless DATABASE_URL names a database to use, the suite runs on a private embedded instance in a
temporary folder. Workers of pytest-xdist inherit the controller's choice through the environment.
"""

import atexit
import os
import shutil
import tempfile

os.environ["APP_MODE"] = "test"
if "DATA_DIR" not in os.environ:
    _folder = tempfile.mkdtemp(prefix="cliffhanger-test-")
    os.chmod(_folder, 0o711)  # noqa: S103  an unprivileged uid serves it when root runs the suite
    os.environ["DATA_DIR"] = _folder
    os.environ["EMBEDDED_DURABLE"] = "off"
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
