"""A problem in a contract file: where, what was found, what was expected, and an example."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from millrace.errors import ConfigError


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to fix. `found` and `expected` are clauses, `example` is a text that would be right."""

    path: Path
    line: int
    found: str
    expected: str
    example: str = ""

    def render(self, root: Path) -> str:
        """One line, `file:line: found ..., expected ..., e.g. ...`, with the file as seen from `root`."""
        shown = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        example = f", e.g. {self.example}" if self.example else ""
        return f"{shown}:{self.line}: found {self.found}, expected {self.expected}{example}"


class ContractError(ConfigError):
    """Contract files are wrong; carries every problem, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem], root: Path | None = None) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(p.render(root or Path.cwd()) for p in self.problems))


class Wrong(ValueError):
    """What a validator raises: the clauses of a problem whose place the reader of the file knows."""

    def __init__(self, found: str, expected: str, example: str = "") -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found, self.expected, self.example = found, expected, example


def one_of(options: Iterable[str], given: str) -> str:
    """`one of a, b, c`, and the one that was probably meant."""
    names = list(options)
    near = get_close_matches(given, names, n=1, cutoff=0.6)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"one of {', '.join(names)}{hint}" if names else "nothing here, since there is none to name"
