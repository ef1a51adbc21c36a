"""The cache of what the stack fetches: pinned, verified once, shared by all stacks of a checkout."""

import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import clickhouse_library, engine_jar, java_artifacts

CLICKHOUSE = "clickhouse"
SPARK_JARS = "spark-jars"
ENGINE = "engine"


def ensure(bundle: str, downloads: Path) -> Path:
    """The folder of a bundle, fetched if it is not there as the lock files say. Safe when two stacks start at once."""
    folder = downloads / bundle
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(downloads / f".{bundle}.lock"):
        stamp, wanted = folder / ".complete", _fingerprint(bundle)
        if not (stamp.exists() and stamp.read_text() == wanted):
            _fetch(bundle, folder)
            stamp.write_text(wanted)
    return folder


def version(bundles: Iterable[str]) -> str:
    """Changes with what any of the bundles should hold: a process that has loaded another is to start anew."""
    return hashlib.sha256("".join(_fingerprint(bundle) for bundle in bundles).encode()).hexdigest()[:16]


def _fetch(bundle: str, folder: Path) -> None:
    if bundle == CLICKHOUSE:
        clickhouse_library.fetch_library(folder)
    elif bundle == ENGINE:
        engine_jar.compile_jar(folder, ensure(SPARK_JARS, folder.parent))
    else:
        java_artifacts.fetch_java(bundle, folder)


def _fingerprint(bundle: str) -> str:
    if bundle == CLICKHOUSE:
        locked = clickhouse_library.LOCK.read_text()
    elif bundle == ENGINE:
        locked = _fingerprint(SPARK_JARS) + "".join(source.read_text() for source in engine_jar.SOURCES)
    else:
        locked = repr(java_artifacts.locked(bundle))
    return hashlib.sha256(locked.encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def jars(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("*.jar"))
