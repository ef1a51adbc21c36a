"""Writes java.lock anew from java.roots: `python -m deploy.local.relock`."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from deploy.local.ivy import Coordinates, ivy_module, parse_coordinates, retrieve
from deploy.local.java_artifacts import LOCK, sha256_of
from millrace.errors import MillraceError

ROOTS = LOCK.with_suffix(".roots")
HEADER = "# Every Java file of the local stack: bundle, Maven coordinates, SHA-256. Made from java.roots.\n"
PATTERN = "[organisation]/[artifact]/[revision]/([classifier])/[ext]/[artifact]-[revision](-[classifier]).[ext]"


@dataclass(frozen=True)
class Root:
    """One line of java.roots."""

    bundle: str
    coordinates: Coordinates
    transitive: bool


def parse_roots(text: str) -> tuple[Root, ...]:
    """Lines of `bundle coordinates [transitive]`; `#` starts a comment."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Root(bundle, parse_coordinates(path), "transitive" in more) for bundle, path, *more in lines)


def lock_lines(bundle: str, roots: Iterable[Root]) -> Iterator[str]:
    """Resolve the roots of one bundle; a line of the lock for each file that came."""
    chosen = list(roots)
    exact = [root.coordinates for root in chosen if not root.transitive]
    trees = [root.coordinates for root in chosen if root.transitive]
    with tempfile.TemporaryDirectory() as scratch:
        pattern = f"{scratch}/{PATTERN}"
        said = retrieve(ivy_module(exact), pattern, poms=False)
        said += retrieve(ivy_module((), trees), pattern, poms=True) if trees else ""
        files = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        if len(files) < len(chosen) or "UNRESOLVED" in said:
            raise MillraceError(f"{bundle} could not be resolved:\n{said[-3000:]}")
        for path in files:
            yield f"{bundle} {_coordinates(path.relative_to(scratch))} {sha256_of(path)}\n"


def _coordinates(path: Path) -> Coordinates:
    """Read the coordinates back out of a path that PATTERN made; the folder of the classifier may be missing."""
    organisation, name, revision, *classifier, extension, _ = path.parts
    return Coordinates(organisation, name, revision, "".join(classifier), extension)


def main() -> None:
    bundles = groupby(parse_roots(ROOTS.read_text()), key=lambda root: root.bundle)
    lines = [line for bundle, roots in bundles for line in lock_lines(bundle, roots)]
    LOCK.write_text(HEADER + "".join(lines))
    sys.stdout.write(f"{LOCK.name}: {len(lines)} files\n")


if __name__ == "__main__":
    main()
