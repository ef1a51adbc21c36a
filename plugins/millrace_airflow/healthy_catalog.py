"""The part of the catalog that can be trusted: a domain with a broken contract is left out whole, the others go on."""

from pathlib import Path

from millrace.check.graph import graph_problems
from millrace.check.unique import unique_problems
from millrace.contracts.catalog import Catalog, read_readable
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
