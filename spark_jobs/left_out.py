"""Sources and stream models that cannot run for their contracts: told like queries that fail, and in nobody's way."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from pyspark.sql.streaming.query import StreamingQuery

from millrace import names
from millrace.contracts.problem import ContractError, Problem
from spark_jobs.stream_app import QuerySpec


def left_out(problems: Iterable[Problem], project_dir: Path, taken: Collection[str]) -> list[QuerySpec]:
    """A query for each, whose start says what is wrong; a driver that can run it follows once the file is mended.

    None where another has the name already: it is that one's, and the log has the problem.
    """
    found: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        query = _query(problem.path.relative_to(project_dir).parts)
        if query and query not in taken:
            found[query].append(problem)
    return [_refusing(query, of, project_dir) for query, of in found.items()]


def _query(path: tuple[str, ...]) -> str | None:
    """The query that a contract's file is for; none for a real-time model, whose tables stay as they are."""
    match path:
        case ("sources", _, source, _):
            return names.landing_query(source)
        case ("models", _, "stream", model):
            return names.stream_query(Path(model).stem)
        case _:
            return None


def _refusing(query: str, problems: Iterable[Problem], project_dir: Path) -> QuerySpec:
    def start() -> StreamingQuery:
        raise ContractError(problems, project_dir)

    kind, _, name = query.partition(".")
    return QuerySpec(query, name, start, needs_clickhouse=kind != "landing")
