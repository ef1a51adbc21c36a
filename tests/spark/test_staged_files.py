"""Staged files become files of the table: what was judged is what is published, once."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession

from millrace.contracts.avro import Column
from spark_jobs.edges import lake
from spark_jobs.edges.staged import Candidates, insert_missing, replace_partitions, write_aside

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
COLUMNS = (
    Column(name="day", spark_type="date", nullable=True),
    Column(name="id", spark_type="bigint", nullable=True),
    Column(name="what", spark_type="string", nullable=True),
)
SCHEMA = "day date, id bigint, what string"


class Table:
    """A table by day, and a staging folder whose files lie by what became of the rows, and by day."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.spark, self.path, self.folder = spark, str(root / "table"), str(root / "staged")
        lake.ensure(spark, self.path, COLUMNS, partition="day", stats=("id",))

    def stage(self, *rows: tuple[date, int, str], kept: str = "kept", schema: str = SCHEMA) -> Candidates:
        df = self.spark.createDataFrame([(*row, kept) for row in rows], f"{schema}, outcome string")
        others = self.spark.createDataFrame([(None, 99, "left out", "other")], f"{schema}, outcome string")
        write_aside(df.unionByName(others), self.folder, "outcome", "day", stats=("id",))
        return Candidates(self.folder, f"outcome = '{kept}'", ("day", "id", "what"))

    def insert(self, candidates: Candidates, among: str = "id < 50") -> int:
        def within(alias: str) -> str:
            return f"{alias}.{among}" if alias else among

        count = candidates.read(self.spark).count()
        return insert_missing(self.spark, self.path, candidates, count, "t.id = c.id", within)

    @property
    def rows(self) -> list[Row]:
        return sorted(self.df.collect(), key=lambda row: row["id"])

    @property
    def df(self) -> DataFrame:
        return self.spark.read.format("delta").load(self.path)

    @property
    def files(self) -> set[Path]:
        return {Path(name.removeprefix("file:")) for name in self.df.inputFiles()}


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    return Table(spark, tmp_path)


def test_the_staged_files_themselves_are_published(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"), (TUESDAY, 2, "b"))
    staged = {Path(f.removeprefix("file:")).stat().st_ino for f in candidates.read(table.spark).inputFiles()}
    assert table.insert(candidates) == 2
    assert [tuple(row) for row in table.rows] == [(MONDAY, 1, "a"), (TUESDAY, 2, "b")]
    assert {path.stat().st_ino for path in table.files} == staged
    assert {path.parent.name for path in table.files} == {"day=2026-01-05", "day=2026-01-06"}


def test_what_is_published_twice_is_there_once(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"))
    assert [table.insert(candidates), table.insert(candidates)] == [1, 0]
    assert len(table.rows) == 1


def test_a_call_that_comes_twice_changes_nothing(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"))
    table.insert(candidates)
    before = lake.version(table.spark, table.path)
    for _ in range(2):
        table.spark.sql(
            f"CALL millrace.publish('{table.folder}', '{table.path}', \"outcome = 'kept'\", 'id < 50', false)"
        )
    assert lake.version(table.spark, table.path) == before
    assert len(table.rows) == 1


def test_rows_that_came_after_the_look_are_found_by_the_commit(table: Table) -> None:
    table.insert(table.stage((MONDAY, 1, "a")))
    candidates = table.stage((MONDAY, 1, "again"))
    call = f"CALL millrace.publish('{table.folder}', '{table.path}', \"{candidates.rows}\", 'id < 50', false)"
    with pytest.raises(PySparkException, match="holds such rows already"):
        table.spark.sql(call)
    assert [row["what"] for row in table.rows] == ["a"]


def test_a_file_that_was_compacted_since_is_not_taken_again(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"))
    table.insert(candidates)
    table.insert(table.stage((MONDAY, 2, "b")))
    table.spark.sql(f"OPTIMIZE delta.`{table.path}`")
    assert table.insert(table.stage((MONDAY, 1, "a"))) == 0
    assert [row["id"] for row in table.rows] == [1, 2]


def test_a_folder_is_staged_again_with_other_columns(spark: SparkSession, tmp_path: Path) -> None:
    folder = str(tmp_path / "s")
    for column in ("old", "new"):
        write_aside(spark.createDataFrame([(1, "a")], f"{column} bigint, what string"), folder, "what", stats=(column,))
    assert spark.read.format("delta").load(folder).columns == ["new", "what"]


def test_rows_beside_others_are_merged(table: Table) -> None:
    table.insert(table.stage((MONDAY, 1, "a")))
    assert table.insert(table.stage((MONDAY, 1, "other"), (MONDAY, 2, "b"))) == 1
    assert [row["what"] for row in table.rows] == ["a", "b"]


def test_partitions_are_replaced_in_one_commit(table: Table) -> None:
    table.insert(table.stage((MONDAY, 1, "a"), (TUESDAY, 2, "b")))
    before = lake.version(table.spark, table.path)
    candidates = table.stage((TUESDAY, 3, "c"), (TUESDAY, 4, "d"))
    replace_partitions(table.spark, table.path, Candidates(candidates.folder, "day = DATE'2026-01-06'"))
    assert [row["id"] for row in table.rows] == [1, 3, 4]
    assert lake.version(table.spark, table.path) == before + 1


def test_a_partition_of_which_nothing_is_left_is_emptied(table: Table) -> None:
    table.insert(table.stage((MONDAY, 1, "a"), (TUESDAY, 2, "b")))
    candidates = table.stage((MONDAY, 5, "e"))
    replace_partitions(table.spark, table.path, Candidates(candidates.folder, "day = DATE'2026-01-06'"))
    assert [row["id"] for row in table.rows] == [1]


def test_published_rows_outlive_the_staging_folder(table: Table, tmp_path: Path) -> None:
    table.insert(table.stage((MONDAY, 1, "a")))
    (tmp_path / "staged").rename(tmp_path / "gone")
    for path in (tmp_path / "gone").rglob("*.parquet"):
        path.unlink()
    assert [row["what"] for row in table.rows] == ["a"]


def test_a_file_on_another_disk_is_copied(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(spark, tmp_path)
    with _other_disk() as folder:
        table.folder = str(folder / "staged")
        assert table.insert(table.stage((MONDAY, 1, "a"))) == 1
    assert [row["what"] for row in table.rows] == ["a"]
    assert not list(tmp_path.rglob("table/**/.part*"))


def test_a_table_with_constraints_has_the_rows_written_again(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"))
    table.spark.sql(f"ALTER TABLE delta.`{table.path}` ADD CONSTRAINT few CHECK (id < 40)")
    staged = candidates.read(table.spark).inputFiles()
    assert table.insert(candidates) == 1
    assert [tuple(row) for row in table.rows] == [(MONDAY, 1, "a")]
    assert not {Path(name).name for name in staged} & {path.name for path in table.files}
    with pytest.raises(PySparkException, match="CHECK constraint few"):
        table.insert(table.stage((TUESDAY, 41, "b")), "id BETWEEN 41 AND 49")


def test_rows_of_another_type_are_refused(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"), schema="day date, id int, what string")
    with pytest.raises(PySparkException, match="Failed to merge fields 'id'"):
        table.insert(candidates)
    assert table.rows == []


def test_values_that_are_no_folder_names(spark: SparkSession, tmp_path: Path) -> None:
    path, folder, name = str(tmp_path / "t"), str(tmp_path / "s"), "50 % off / a=b é"
    lake.ensure(spark, path, (COLUMNS[1], COLUMNS[2]), partition="what", stats=("id",))
    write_aside(spark.createDataFrame([(1, name), (2, None)], "id bigint, what string"), folder, "what", stats=("id",))
    insert_missing(
        spark, path, Candidates(folder), 2, "t.id = c.id", lambda alias: f"{alias}.id < 9" if alias else "id < 9"
    )
    rows = spark.read.format("delta").load(path)
    assert {(row["id"], row["what"]) for row in rows.collect()} == {(1, name), (2, None)}
    assert rows.where("what IS NULL").count() == 1


def test_files_replace_no_part_of_a_partition(table: Table) -> None:
    candidates = table.stage((MONDAY, 1, "a"))
    with pytest.raises(PySparkException, match="only partitions can be replaced by files"):
        replace_partitions(table.spark, table.path, Candidates(candidates.folder, "id < 5"))


def test_old_staged_files_count_as_written_now(table: Table) -> None:
    """VACUUM, which looks at ages, must not take a file between its arrival and the commit that names it."""
    candidates = table.stage((MONDAY, 1, "a"))
    for path in Path(table.folder).rglob("*.parquet"):
        os.utime(path, (0, 0))
    table.insert(candidates)
    assert all(path.stat().st_mtime > 1e9 for path in table.files)
    table.spark.sql(f"VACUUM delta.`{table.path}` RETAIN 1 HOURS")
    assert len(table.rows) == 1


def test_history_tells_what_was_taken(table: Table) -> None:
    table.insert(table.stage((MONDAY, 1, "a"), (TUESDAY, 2, "b")))
    newest = table.spark.sql(f"DESCRIBE HISTORY delta.`{table.path}` LIMIT 1").collect()[0]
    assert newest["operation"] == "WRITE"
    assert {k: newest["operationMetrics"][k] for k in ("numFiles", "numOutputRows")} == {
        "numFiles": "2", "numOutputRows": "2",
    }  # fmt: skip


def test_statistics_come_with_the_files(table: Table) -> None:
    table.insert(table.stage((MONDAY, 1, "a"), (MONDAY, 2, "b")))
    table.insert(table.stage((MONDAY, 70, "c")), "id BETWEEN 60 AND 80")
    assert len(table.df.where("id > 60").inputFiles()) == 1


@contextmanager
def _other_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
