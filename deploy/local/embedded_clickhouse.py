"""A ClickHouse server out of libchdb: clickhouse-local that opens its ports and then never ends its query."""

import contextlib
import ctypes
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.local.inode_groups import spread

FOREVER = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT count(sleepEachRow(1)) FROM numbers(10000000000) "
    "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0 FORMAT Null"
)

_LOOK_SECONDS = 2.0


def arguments(config_file: str) -> list[str]:
    """clickhouse-local reads its data folder and ports from the command line only; the file says the rest."""
    config = ET.parse(config_file).getroot()  # noqa: S314 - a file that the stack wrote itself
    options = {
        "--config-file": config_file,
        "--path": config.findtext("path"),
        "--http_port": config.findtext("http_port"),
        "--tcp_port": config.findtext("tcp_port"),
        "--listen_host": config.findtext("listen_host"),
        "--query": FOREVER,
    }
    return ["clickhouse-local", *(word for pair in options.items() for word in pair if word)]


def spread_tables(data: Path) -> None:
    """Mark the folder of every table, also of those that drivers and users will make; never returns."""
    while True:
        for folder in data.glob("store/*/*"):
            with contextlib.suppress(FileNotFoundError):  # a table that was dropped just now
                spread(folder)
        time.sleep(_LOOK_SECONDS)


def main() -> None:
    library, config_file = sys.argv[1:]
    options = arguments(config_file)
    data = Path(options[options.index("--path") + 1])
    threading.Thread(target=spread_tables, args=(data,), daemon=True).start()
    words = [word.encode() for word in options]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    ctypes.CDLL(library).chdb_query_cmdline(len(words), argv)


if __name__ == "__main__":
    main()
