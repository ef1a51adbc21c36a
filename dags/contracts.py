"""Shows broken contracts as this file's import error; it holds no DAG, and Airflow keeps the domains that are whole."""

from millrace.check.graph import graph_problems
from millrace.contracts.catalog import read_readable
from millrace.contracts.problem import ContractError
from millrace.settings import settings

catalog, unreadable = read_readable(settings().project_dir)
if problems := [*unreadable, *graph_problems(catalog)]:
    raise ContractError(problems, settings().project_dir)
