"""What the checksum beside a commit tells of a table's files is what a query over the log tells."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.edges import lake
from spark_jobs.edges.staged import Candidates, replace_partitions, write_aside

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
FEW = "spark.databricks.delta.allFilesInCrc.thresholdNumFiles"
WHOLE = "spark.millrace.scans.wholeBytes"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "table")


@contextmanager
def setting(spark: SparkSession, name: str, value: str) -> Iterator[None]:
    before = spark.conf.get(name)
    spark.conf.set(name, value)
    yield
    spark.conf.set(name, before) if before else spark.conf.unset(name)


@pytest.fixture
def of_no_table(spark: SparkSession) -> Iterator[None]:
    """Checksums name no files, as those of a table of many do not."""
    with setting(spark, FEW, "0"):
        yield


def write(spark: SparkSession, path: str, *rows: tuple[date | None, int, str | None], mode: str = "append") -> None:
    df = spark.createDataFrame(rows, "day date, id bigint, what string")
    df.coalesce(1).write.format("delta").mode(mode).partitionBy("day", "what").save(path)


def queried(spark: SparkSession, path: str, condition: str = "true") -> list[str]:
    """The names of files that a read takes rows from."""
    rows = spark.read.format("delta").load(path).where(condition)
    return sorted(name.rpartition("/")[2] for name in rows.inputFiles())


def test_files_partitions_and_rows_are_told(spark: SparkSession, path: str) -> None:
    write(spark, path, (MONDAY, 1, "50 % off / a=b é"), (MONDAY, 2, "50 % off / a=b é"), (TUESDAY, 3, None))
    write(spark, path, (None, 4, "x"))
    listed = lake.listed_files(spark, path)
    assert listed is not None
    assert sorted(file.name for file in listed) == queried(spark, path)
    told = {(*file.partition.values(), file.rows) for file in listed}
    assert told == {(MONDAY, "50 % off / a=b é", 2), (TUESDAY, None, 1), (None, "x", 1)}
    assert lake.row_counts(spark, path, "day") == {(MONDAY,): 2, (TUESDAY,): 1, (None,): 1}
    assert lake.row_counts(spark, path) == {(): 4}


def test_names_are_those_that_a_query_gives(spark: SparkSession, path: str) -> None:
    write(spark, path, (MONDAY, 1, "a"), (TUESDAY, 2, "b"), (None, 3, None))
    monday, none = "day = DATE'2026-01-05'", "day IS NULL"
    assert sorted(lake.file_names(spark, path, "day", [MONDAY])) == queried(spark, path, monday)
    assert sorted(lake.file_names(spark, path, "day", [MONDAY, None])) == queried(spark, path, f"{monday} OR {none}")
    assert sorted(lake.file_names(spark, path, "id", [1])) == queried(spark, path, "id = 1"), "no partition column"
    assert sorted(lake.file_names(spark, path, "nowhere", [1])) == queried(spark, path)
    write(spark, path, (TUESDAY, 5, "c"), mode="overwrite")
    assert lake.file_names(spark, path, "day", [MONDAY]) == []
    assert lake.file_names(spark, path) == queried(spark, path)


@pytest.mark.usefixtures("of_no_table")
def test_where_checksums_do_not_say_a_query_does(spark: SparkSession, path: str) -> None:
    write(spark, path, (MONDAY, 1, "a"), (TUESDAY, 2, "b"))
    assert lake.listed_files(spark, path) is None
    assert lake.file_names(spark, path, "day", [TUESDAY]) == queried(spark, path, "day = DATE'2026-01-06'")
    assert lake.row_counts(spark, path, "day") == {(MONDAY,): 1, (TUESDAY,): 1}


def test_a_fingerprint_is_the_same_either_way(spark: SparkSession, path: str, request: pytest.FixtureRequest) -> None:
    write(spark, path, (MONDAY, 1, "a"), (TUESDAY, 2, "b"))
    told = [lake.fingerprint(spark, path, "day", day) for day in (MONDAY, TUESDAY)]
    request.getfixturevalue("of_no_table")
    write(spark, path, (date(2026, 1, 7), 3, "c"))
    assert lake.listed_files(spark, path) is None
    assert [lake.fingerprint(spark, path, "day", day) for day in (MONDAY, TUESDAY)] == told


def test_an_empty_table_has_no_files(spark: SparkSession, path: str) -> None:
    spark.createDataFrame([], "day date, id bigint").write.format("delta").partitionBy("day").save(path)
    assert lake.listed_files(spark, path) == []
    assert lake.file_names(spark, path, "day", [MONDAY]) == []
    assert lake.row_counts(spark, path, "day") == {}


def test_deleted_rows_are_not_counted(spark: SparkSession, path: str) -> None:
    write(spark, path, (MONDAY, 1, "a"), (MONDAY, 2, "a"))
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 1")
    assert lake.row_counts(spark, path, "day") == {(MONDAY,): 1}


def test_partitions_replaced_by_two_at_once_are_replaced_by_one_after_the_other(
    spark: SparkSession, tmp_path: Path, path: str
) -> None:
    write(spark, path, (MONDAY, 0, "a"))

    def replace(number: int) -> None:
        folder = str(tmp_path / f"staged {number}")
        rows = [(MONDAY, number, "a"), (MONDAY, number, "b")]
        write_aside(spark.createDataFrame(rows, "day date, id bigint, what string"), folder, "day", "what")
        replace_partitions(spark, path, Candidates(folder, "day = DATE'2026-01-05'"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, range(1, 9)))
    rows = spark.read.format("delta").load(path).collect()
    assert len(rows) == 2
    assert len({row["id"] for row in rows}) == 1, "of one of them, whole"


def test_a_scan_of_few_bytes_leaves_partitions_out_and_asks_no_more(spark: SparkSession, path: str) -> None:
    write(spark, path, (MONDAY, 1, "a"), (MONDAY, 9, "b"), (TUESDAY, 2, "c"))
    condition = "day = DATE'2026-01-05' AND id > 5"
    assert len(queried(spark, path, condition)) == 1, "by statistics"
    with setting(spark, WHOLE, "1000000"):
        assert len(queried(spark, path, condition)) == 2
        rows = spark.read.format("delta").load(path)
        assert [row["id"] for row in rows.where(condition).collect()] == [9]
        assert [row["id"] for row in rows.where("input_file_name() LIKE '%what=c%'").collect()] == [2]
        assert rows.where("what IN ('a', 'c') AND rand() >= 0").count() == 2


def test_a_checksum_of_a_commit_that_was_taken_back_tells_nothing_of_the_next(
    spark: SparkSession, tmp_path: Path, path: str
) -> None:
    write(spark, path, (MONDAY, 1, "a"))
    write(spark, path, (MONDAY, 2, "a"))
    restored, seen = str(tmp_path / "restored"), str(tmp_path / "seen by another process")
    shutil.copytree(path, restored)
    for name in ("00000000000000000001.json", ".00000000000000000001.json.crc"):
        Path(restored, "_delta_log", name).unlink(missing_ok=True)
    write(spark, restored, (TUESDAY, 3, "b"))
    shutil.copytree(restored, seen)
    assert {row["id"] for row in spark.read.format("delta").load(seen).collect()} == {1, 3}
    assert lake.row_counts(spark, seen, "day") == {(MONDAY,): 1, (TUESDAY,): 1}
    assert Path(seen, "_delta_log", "00000000000000000001.crc").exists()
