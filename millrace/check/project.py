"""Everything that `millrace check` finds: a whole project, judged without Spark or any service."""

from pathlib import Path

from millrace.check.cases import case_problems
from millrace.check.graph import graph_problems
from millrace.check.layout import layout_problems
from millrace.check.parsed import parse_all
from millrace.check.queries import query_problems
from millrace.check.silver_code import silver_code_problems
from millrace.check.suites import suite_problems
from millrace.check.unique import unique_problems
from millrace.contracts.catalog import read_readable
from millrace.contracts.problem import Problem


def check(project_dir: Path) -> list[Problem]:
    """Every problem of the project's sources, models and suites, in the order of files and lines."""
    catalog, unreadable = read_readable(project_dir)
    parsed = parse_all(catalog)
    problems = {
        *unreadable,
        *parsed.problems,
        *layout_problems(project_dir),
        *unique_problems(catalog),
        *graph_problems(catalog),
        *query_problems(parsed),
        *silver_code_problems(catalog),
        *suite_problems(parsed),
        *case_problems(project_dir),
    }
    return sorted(problems)
