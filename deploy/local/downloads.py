"""The cache of what the stack fetches: pinned, verified once, shared by all stacks of a checkout."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import clickhouse_library, java_artifacts, native_files

CLICKHOUSE = "clickhouse"
SPARK_JARS = "spark-jars"
NATIVE_FILES = "native-files"


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


def _fetch(bundle: str, folder: Path) -> None:
    if bundle == CLICKHOUSE:
        clickhouse_library.fetch_library(folder)
    elif bundle == NATIVE_FILES:
        native_files.compile_jar(folder)
    else:
        java_artifacts.fetch_java(bundle, folder)


def _fingerprint(bundle: str) -> str:
    own = {CLICKHOUSE: clickhouse_library.LOCK, NATIVE_FILES: native_files.SOURCE}
    locked = own[bundle].read_text() if bundle in own else repr(java_artifacts.locked(bundle))
    return hashlib.sha256(locked.encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def jars(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("*.jar"))
