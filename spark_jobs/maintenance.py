"""Upkeep of what the batch writes: compaction, vacuum, and the removal of what runs have left aside."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType

from millrace import names
from millrace.names import Layer
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.sync import clickhouse

log = logging.getLogger(__name__)
KEEP_VERSIONS = timedelta(days=7)
"""How far back readers may travel in time, and how long a slow reader may take."""
KEEP_STAGING = timedelta(days=1)
"""Longer than any run and its retries."""


@dataclass(frozen=True)
class Maintained:
    """What upkeep changed."""

    files_before: int
    files_after: int


@dataclass(frozen=True)
class Cleaned:
    """What a cleaning removed."""

    folders: int
    tables: int


def maintain_source(run: BatchRun, name: str) -> Maintained:
    """Compact and vacuum the source's silver and rejected tables. Landing looks after bronze itself."""
    return _sum(_maintain(run, "silver", name), _maintain(run, "rejected", name))


def maintain_model(run: BatchRun, name: str) -> Maintained:
    """Compact and vacuum a gold table."""
    return _maintain(run, "gold", name)


def clean_staging(run: BatchRun, name: str = "") -> Cleaned:
    """Remove staging folders (of the table `name`, or of all) and half-done syncs that no run needs any more."""
    before = datetime.now(UTC) - KEEP_STAGING
    return Cleaned(_remove_folders(run.settings.lake, name, before), _drop_sync_tables(run, name, before))


def _maintain(run: BatchRun, layer: Layer, name: str) -> Maintained:
    path = run.path(layer, name)
    if lake.read(run.spark, path) is None:
        return Maintained(0, 0)
    metrics = lake.on_conflict(lambda: run.spark.sql(f"OPTIMIZE {lake.table(path)}").collect()[0]["metrics"])
    hours = int(KEEP_VERSIONS.total_seconds() // 3600)
    run.spark.sql(f"VACUUM {lake.table(path)} RETAIN {hours} HOURS").collect()
    before = metrics["totalConsideredFiles"]
    done = Maintained(before, before - metrics["numFilesRemoved"] + metrics["numFilesAdded"])
    log.info("%s.%s: %d files, now %d", layer, name, done.files_before, done.files_after)
    return done


def _sum(a: Maintained, b: Maintained) -> Maintained:
    return Maintained(a.files_before + b.files_before, a.files_after + b.files_after)


def _remove_folders(root: str, name: str, before: datetime) -> int:
    """Staging folders, `staging/<layer>/<table>/<run>`, whose newest file is older than `before`."""
    filesystem, base = FileSystem.from_uri(root.replace("s3a://", "s3://"))
    staging = f"{base}/staging"
    depth = len(staging.split("/")) + 3
    found = filesystem.get_file_info(FileSelector(staging, recursive=True, allow_not_found=True))
    files = sorted((f for f in found if f.type == FileType.File), key=lambda f: f.path)
    removed = 0
    for folder, inside in groupby(files, key=lambda f: "/".join(f.path.split("/")[:depth])):
        if name in ("", folder.split("/")[-2]) and all(_mtime(f) < before for f in inside):
            filesystem.delete_dir(folder)
            removed += 1
    return removed


def _mtime(file: FileInfo) -> datetime:
    mtime: datetime = file.mtime
    return mtime if mtime.tzinfo else mtime.replace(tzinfo=UTC)


def _drop_sync_tables(run: BatchRun, name: str, before: datetime) -> int:
    with clickhouse(run.settings) as client:
        left = client.query(
            "SELECT name FROM system.tables WHERE database = %(d)s AND startsWith(name, %(p)s) "
            "AND metadata_modification_time < toDateTime(%(before)s, 'UTC')",
            parameters={"d": names.OPS, "p": f"sync_{name}", "before": int(before.timestamp())},
        ).result_rows
        for (table,) in left:
            client.command(f"DROP TABLE IF EXISTS {names.OPS}.`{table}`")
    return len(left)
