"""The process of each part: which one it is, kept in a file, so that it is known when its supervisor was killed."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

MARK = "STACK_OF_STATE_DIR"
"""Environment variable that every part inherits: tells this stack's processes from all others, whoever their parent."""
PART = "SUPERVISOR_PROCESS_NAME"
"""Environment variable in which supervisord tells a part, and thereby all its children, its name."""
PACKED = "STACK_VARIABLES"
"""Environment variable that holds the variables whose values supervisord's configuration has no way to write."""
_UNWRITABLE = frozenset("\"'\\\n")


def packed(variables: Mapping[str, str]) -> dict[str, str]:
    """The same variables, those with quotes, backslashes or line ends in their values wrapped up in one."""
    odd = {name: value for name, value in variables.items() if _UNWRITABLE.intersection(value)}
    if not odd:
        return dict(variables)
    wrapped = b64encode(json.dumps(odd).encode()).decode()
    return {name: value for name, value in variables.items() if name not in odd} | {PACKED: wrapped}


def unpack(environment: MutableMapping[str, str]) -> None:
    """Undo `packed`, in place."""
    environment.update(json.loads(b64decode(environment.pop(PACKED, "e30="))))


@dataclass(frozen=True)
class PartProcess:
    """The process that was started as a part; `digest` changes with its command and environment."""

    part: str
    pid: int
    digest: str

    def runs(self, state: Path) -> bool:
        """Process ids are used again: make sure that this one is still the part's."""
        try:
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and _belongs(process, state, self.part)
        except (psutil.Error, OSError):
            return False


def keep(state: Path, process: PartProcess) -> None:
    path = _file(state, process.part)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(asdict(process)))
    partial.replace(path)


def running(state: Path, part: str) -> PartProcess | None:
    """The part's process, if it lives, whoever its parent is."""
    try:
        process = PartProcess(**json.loads(_file(state, part).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return process if process.runs(state) else None


def processes_of(state: Path, part: str) -> list[psutil.Process]:
    """Everything that was ever started as this part or by it, and still lives; not this process itself."""
    return [p for p in marked(state) if p.pid != os.getpid() and _belongs(p, state, part)]


def marked(state: Path) -> list[psutil.Process]:
    """Processes that carry the mark of this stack in the environment they were started with."""
    return [p for p in psutil.process_iter() if _variable(p, MARK) == str(state)]


def _belongs(process: psutil.Process, state: Path, part: str) -> bool:
    return _variable(process, MARK) == str(state) and _variable(process, PART) == part


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        return process.environ().get(name)
    except (psutil.Error, OSError):
        return None


def _file(state: Path, part: str) -> Path:
    return state / "run" / f"{part}.json"
