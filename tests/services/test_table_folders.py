"""ClickHouse's tables on a disk where deleted inodes are in the way of new files."""

from pathlib import Path

import pytest

from deploy.local.inode_groups import is_spread, spread
from millrace.clickhouse.client import connect
from tests.services.platform import await_that
from tests.stack import TestStack


def test_the_folder_of_a_table_is_spread_soon_after_it_was_made(stack: TestStack) -> None:
    stack.start("clickhouse")
    if not spread(stack.stack.state):
        pytest.skip("this file system spreads nothing")
    client = connect(stack.settings)
    client.command("CREATE TABLE default.spread_out (n Int64) ENGINE = MergeTree ORDER BY n")
    sql = "SELECT data_paths[1] FROM system.tables WHERE database = 'default' AND name = 'spread_out'"
    folder = Path(client.query(sql).result_rows[0][0])
    try:
        await_that(lambda: is_spread(folder), "the folder is marked as the top of a hierarchy")
    finally:
        client.command("DROP TABLE default.spread_out SYNC")
