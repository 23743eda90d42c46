"""A Spark cluster of processes on this machine: a master and workers with little memory.

Spark and Java are not among what is locked. Spark is found at SPARK_HOME, or beside a `spark-submit` on the PATH,
as `pip install pyspark` in an environment of its own puts it there.
"""

import gc
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 600
_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
_READY = re.compile(r"Successfully registered with master")
_PORT = re.compile(r"Starting Spark master at (spark://\S+)")
_DEFAULTS = """
spark.driver.memory 2g
spark.executor.memory 512m
spark.executor.cores 1
spark.sql.shuffle.partitions 2
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.network.timeout 600s
spark.executor.heartbeatInterval 60s
spark.ui.enabled false
spark.ui.showConsoleProgress false
"""


def home() -> Path | None:
    """Where Spark is installed, if it is."""
    if named := os.environ.get("SPARK_HOME"):
        return Path(named)
    program = shutil.which("spark-submit")
    if program is None:
        return None
    beside = Path(program).resolve().parent.parent
    found = sorted(beside.glob("lib/python3*/site-packages/pyspark"))
    return found[0] if found else beside


def missing() -> str:
    """Why there can be no cluster here, or nothing."""
    if home() is None:
        return "Spark is not installed: pip install pyspark==4.1.4 and put its bin behind the PATH"
    if shutil.which("java") is None:
        return "Java is not installed: apt-get install openjdk-17-jre-headless"
    return ""


class Cluster:
    """The master's address and the workers' processes."""

    def __init__(self, url: str, workers: list[subprocess.Popen[bytes]]) -> None:
        self.url, self.workers = url, workers


@contextmanager
def started(folder: Path, *, workers: int) -> Iterator[Cluster]:
    """A master and so many workers, each of one core and 512 MB, until the block ends."""
    spark = home()
    assert spark is not None
    running: list[subprocess.Popen[bytes]] = []
    try:
        running.append(_start(spark, folder, "master", _MASTER, "--port", "0"))
        url = _awaited(folder / "master.log", _PORT, running[-1])[1]
        for number in range(workers):
            kept = ("-c", "1", "-m", "512m", "-d", str(folder / f"work{number}"))
            running.append(_start(spark, folder, f"worker{number}", _WORKER, *kept, url))
        for number, process in enumerate(running[1:]):
            _awaited(folder / f"worker{number}.log", _READY, process)
        yield Cluster(url, running[1:])
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


@contextmanager
def driver(folder: Path) -> Iterator[None]:
    """Lets this process import pyspark and drive a cluster; what it has started ends with the block."""
    spark = home()
    assert spark is not None
    archives = [str(path) for path in sorted((spark / "python" / "lib").glob("*.zip"))]
    (folder / "spark-defaults.conf").write_text(_DEFAULTS)
    before = dict(os.environ)
    os.environ.update(_environment(spark), SPARK_CONF_DIR=str(folder))
    sys.path += archives
    try:
        yield
        from pyspark import SparkContext

        if SparkContext._active_spark_context is not None:
            SparkContext._active_spark_context.stop()
        if SparkContext._gateway is not None:
            SparkContext._gateway.shutdown()
            SparkContext._gateway.proc.stdin.close()
            SparkContext._gateway.proc.wait(PATIENCE_SECONDS)
            SparkContext._gateway = SparkContext._jvm = None
        gc.collect()  # here, where its sockets are expected, and not in a test that comes later
    finally:
        os.environ.clear()
        os.environ.update(before)
        for archive in archives:
            sys.path.remove(archive)


def _environment(spark: Path) -> Mapping[str, str]:
    return {
        "SPARK_HOME": str(spark),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        # A machine that is busy with other things has not lost its workers.
        "SPARK_MASTER_OPTS": "-Dspark.worker.timeout=600",
        # Each query is asked once: what takes long to compile is compiled for nothing.
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }


def _start(
    spark: Path, folder: Path, name: str, part: str, *options: str
) -> subprocess.Popen[bytes]:
    command = [str(spark / "bin" / "spark-class"), part, "--host", "127.0.0.1", "--webui-port", "0"]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *options],
            env=os.environ | _environment(spark) | {"SPARK_NO_DAEMONIZE": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _awaited(log: Path, sign: re.Pattern[str], process: subprocess.Popen[bytes]) -> re.Match[str]:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := sign.search(log.read_text(errors="replace")):
            return found
        time.sleep(0.2)
    raise AssertionError(f"Spark did not start: {log.read_text(errors='replace')[-2000:]}")
