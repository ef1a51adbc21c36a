"""Many writers under one application id: the table takes each batch once, though none of them reads its whole log."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local import downloads
from millrace.launch import inherited
from millrace.settings import ROOT, read_settings
from tests.spark.append_race import BATCHES, ROWS, TABLE, WRITERS


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the writers left their table and what became of each of them."""
    downloads.ensure(downloads.ENGINE, read_settings().downloads)
    folder = tmp_path_factory.mktemp("race")
    command = [sys.executable, "-m", "tests.spark.append_race", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=inherited(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_batch_is_in_the_table_once(raced: Path) -> None:
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    assert result["rows"] == BATCHES * ROWS
    assert len(result["ends"]) == WRITERS * BATCHES
    assert "fenced" in result["ends"]


def test_the_checksum_beside_the_log_knows_the_last_batch(raced: Path) -> None:
    newest = max((raced / TABLE / "_delta_log").glob("*.crc"))
    assert {t["appId"]: t["version"] for t in json.loads(newest.read_text())["setTransactions"]} == {"app": BATCHES - 1}


def test_the_checkpoint_is_left_to_upkeep_which_writes_it_once(raced: Path) -> None:
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    assert not [name for name in result["appended"] if "checkpoint" in name]
    written = [name for name in result["checkpointed"] if "checkpoint" in name]
    assert written == [f"{BATCHES:020}.checkpoint.parquet"]
    assert result["again"] == result["checkpointed"]


def test_a_log_is_short_again_and_the_table_as_it_was(raced: Path) -> None:
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    assert result["short"] == [
        f"{BATCHES:020}.checkpoint.parquet", f"{BATCHES:020}.json", f"{BATCHES + 1:020}.json",
    ]  # fmt: skip
    assert result["left"] == BATCHES * ROWS + 1


def test_a_table_that_went_back_is_known_by_its_transactions_or_its_history(raced: Path) -> None:
    """Last batch of the application, whether RESTORE came after it, and rows."""
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    three_batches, two_lost = [[0, False, 10], [1, False, 10], [2, False, 20]], [0, False, 10]
    and_again, restored, and_again_after_it = [[1, False, 10], [2, False, 20]], [2, True, 10], [3, False, 20]
    assert result["states"] == [*three_batches, two_lost, *and_again, restored, and_again_after_it]


def test_commits_without_content_are_set_aside_once_unless_a_checkpoint_has_it(raced: Path) -> None:
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    assert result["moved"] == [[f"{3:020}.json", f"{2:020}.json"], [], [f"{5:020}.json"]]
    of_the_last = [file.name for file in (raced / "bronze" / "_delta_log").iterdir() if f"{5:020}" in file.name]
    assert len(of_the_last) == 4
    assert all(".aside-" in name for name in of_the_last)


def test_that_commits_were_lost_is_known_until_there_is_a_younger_checkpoint(raced: Path) -> None:
    """Before, after, and after it of a checkpoint that came later."""
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    assert result["lost"] == [False, True, False]


def test_what_went_back_is_filled_from_an_hour_before_its_end(raced: Path) -> None:
    """Of twenty records, ten minutes apart and in turn of two partitions: where that is, and the end."""
    result: dict[str, Any] = json.loads((raced / "result.json").read_text())
    assert result["begin"] == {"0": [12, 19], "1": [13, 20]}
