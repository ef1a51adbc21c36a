"""The catalog: every source, model and suite of a project folder, read and validated whole."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict

from millrace.contracts.model import GoldModel, Model, RealtimeModel, StreamModel
from millrace.contracts.problem import ContractError, Problem
from millrace.contracts.read import read_model, read_source
from millrace.contracts.source import Source, Strict
from millrace.errors import ConfigError

Item = TypeVar("Item")


class Catalog(Strict):
    """What a project folder declares. Look-ups raise ConfigError naming what exists."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    project_dir: Path
    sources: tuple[Source, ...]
    models: tuple[Model, ...]

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(sorted({x.domain for x in (*self.sources, *self.models)}))

    @property
    def realtime(self) -> tuple[RealtimeModel, ...]:
        return tuple(m for m in self.models if isinstance(m, RealtimeModel))

    @property
    def streams(self) -> tuple[StreamModel, ...]:
        return tuple(m for m in self.models if isinstance(m, StreamModel))

    @property
    def gold(self) -> tuple[GoldModel, ...]:
        return tuple(m for m in self.models if isinstance(m, GoldModel))

    def source(self, name: str) -> Source:
        for source in self.sources:
            if source.name == name:
                return source
        raise ConfigError(f"no source '{name}'; there are: {', '.join(s.name for s in self.sources)}")

    def gold_model(self, name: str) -> GoldModel:
        for model in self.gold:
            if model.name == name:
                return model
        raise ConfigError(f"no gold model '{name}'; there are: {', '.join(m.name for m in self.gold)}")

    def fed_by(self, source: Source) -> tuple[GoldModel, ...]:
        """The domain's gold models that read the source's silver table, or a gold table made from it."""
        known = {f"silver.{source.name}"}
        models = [m for m in self.gold if m.domain == source.domain]
        for _ in models:
            known |= {f"gold.{m.name}" for m in models if known & set(m.inputs)}
        return tuple(m for m in models if f"gold.{m.name}" in known)

    def fed_alone_by(self, source: Source) -> tuple[GoldModel, ...]:
        """The models of `fed_by` that no other source feeds."""
        others = (other for other in self.sources if other.domain == source.domain and other != source)
        shared = {model.name for other in others for model in self.fed_by(other)}
        return tuple(model for model in self.fed_by(source) if model.name not in shared)

    def suite_path(self, layer: str, table: str) -> Path:
        return self.project_dir / "expectations" / layer / f"{table}.json"


def source_folders(project_dir: Path) -> Iterator[Path]:
    return (p.parent for p in sorted((project_dir / "sources").glob("*/*/source.yaml")))


def model_files(project_dir: Path) -> Iterator[Path]:
    return iter(sorted((project_dir / "models").glob("*/*/*.sql")))


def read_readable(project_dir: Path) -> tuple[Catalog, tuple[Problem, ...]]:
    """Everything that can be read, and the problems of the rest; for a reader that must not fail as a whole."""
    problems: list[Problem] = []
    sources = tuple(_readable(read_source, source_folders(project_dir), problems))
    models = tuple(_readable(read_model, model_files(project_dir), problems))
    return Catalog(project_dir=project_dir, sources=sources, models=models), tuple(sorted(problems))


def _readable(read: Callable[[Path], Item], paths: Iterable[Path], problems: list[Problem]) -> Iterator[Item]:
    for path in paths:
        try:
            yield read(path)
        except ContractError as error:
            problems.extend(error.problems)
        except UnicodeDecodeError:
            problems.append(Problem(path, 1, "bytes that are no text", "UTF-8"))


def read_catalog(project_dir: Path) -> Catalog:
    """Read everything; raises one ContractError that lists every problem with file and line."""
    found, problems = read_readable(project_dir)
    if problems:
        raise ContractError(problems, project_dir)
    return found


@cache
def catalog(project_dir: Path) -> Catalog:
    """The catalog of this process, read once."""
    return read_catalog(project_dir)
