"""The Java parts: the files that the lock names, fetched and checked."""

import tarfile
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from deploy.local.ivy import Coordinates, ivy_module, parse_coordinates, retrieve
from millrace.errors import MillraceError, TransientError

LOCK = Path(__file__).with_name("java.lock")


@dataclass(frozen=True)
class Artifact:
    """One line of the lock: which bundle a file belongs to, where it comes from, and its SHA-256."""

    bundle: str
    coordinates: Coordinates
    sha256: str

    @property
    def file(self) -> str:
        return self.coordinates.file


def parse_lock(text: str) -> tuple[Artifact, ...]:
    """Lines of `bundle coordinates sha256`; `#` starts a comment."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Artifact(bundle, parse_coordinates(coordinates), sha) for bundle, coordinates, sha in lines)


def locked(bundle: str) -> tuple[Artifact, ...]:
    return tuple(a for a in parse_lock(LOCK.read_text()) if a.bundle == bundle)


def fetch_java(bundle: str, folder: Path) -> None:
    """Bring a bundle's files into `folder`, each checked against the lock; archives are unpacked beside them."""
    artifacts = locked(bundle)
    _fetch([a for a in artifacts if not (folder / a.file).exists()], folder)
    for artifact in artifacts:
        verify(folder / artifact.file, artifact.sha256)
        if artifact.coordinates.extension == "tar.gz":
            with tarfile.open(folder / artifact.file) as archive:
                archive.extractall(folder, filter="data")


def sha256_of(path: Path) -> str:
    with path.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def verify(path: Path, sha256: str) -> None:
    """Delete the file and raise MillraceError when its checksum is not the locked one."""
    found = sha256_of(path)
    if found != sha256:
        path.unlink()
        raise MillraceError(f"{path}: checksum is {found}, the lock file says {sha256}; the file was deleted")


def _fetch(artifacts: list[Artifact], folder: Path) -> None:
    if not artifacts:
        return
    pattern = f"{folder}/[artifact]-[revision](-[classifier]).[ext]"
    said = retrieve(ivy_module(a.coordinates for a in artifacts), pattern, poms=False)
    absent = [a.file for a in artifacts if not (folder / a.file).exists()]
    if absent:
        tail = "\n".join(said.splitlines()[-15:])
        raise TransientError(f"could not download {', '.join(absent)}; Ivy said:\n{tail}")
