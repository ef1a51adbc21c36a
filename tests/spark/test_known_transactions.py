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
