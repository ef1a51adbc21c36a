"""The part of the catalog that can be trusted, where contracts are broken or half written.

Batch leaves out a domain with a broken contract whole, since its tables are made from each other; a stream group leaves
out what is broken alone.
"""

from pathlib import Path

from millrace.check.graph import graph_problems
from millrace.check.unique import unique_problems
from millrace.contracts.catalog import Catalog, read_readable
from millrace.contracts.model import GoldModel
from millrace.contracts.problem import Problem


def healthy_catalog(project_dir: Path) -> Catalog:
    """Sources and models of the domains without a problem."""
    found, problems = read_with_problems(project_dir)
    broken = {domain_of(problem, project_dir) for problem in problems}
    return Catalog(
        project_dir=project_dir,
        sources=tuple(s for s in found.sources if s.domain not in broken),
        models=tuple(m for m in found.models if m.domain not in broken),
    )


def streamable(project_dir: Path) -> tuple[Catalog, tuple[Problem, ...]]:
    """Sources without a problem and the models that can run on them; and the problems, but for those of gold models."""
    found, problems = read_with_problems(project_dir)
    broken = {problem.path for problem in problems}
    sources = tuple(s for s in found.sources if not any(path.is_relative_to(s.folder) for path in broken))
    names = {source.name for source in sources}
    models = (m for m in found.models if isinstance(m, GoldModel) or names.issuperset(m.inputs))
    whole = Catalog(project_dir=project_dir, sources=sources, models=tuple(m for m in models if m.path not in broken))
    return whole, tuple(problem for problem in problems if not _of_gold(problem, project_dir))


def read_with_problems(project_dir: Path) -> tuple[Catalog, tuple[Problem, ...]]:
    """What can be read, and what keeps DAGs from being built; `millrace check` looks at more."""
    found, unreadable = read_readable(project_dir)
    return found, (*unreadable, *graph_problems(found), *unique_problems(found))


def domain_of(problem: Problem, project_dir: Path) -> str | None:
    """The domain of the file that a problem lies in: `sources/<domain>/...` or `models/<domain>/...`."""
    if not problem.path.is_relative_to(project_dir):
        return None
    parts = problem.path.relative_to(project_dir).parts
    return parts[1] if len(parts) > 2 else None


def _of_gold(problem: Problem, project_dir: Path) -> bool:
    return problem.path.is_relative_to(project_dir / "models") and problem.path.parent.name == "gold"
