"""Shows broken contracts as this file's import error; it holds no DAG, and Airflow keeps the domains that are whole."""

from millrace.check.healthy import read_with_problems
from millrace.contracts.problem import ContractError
from millrace.settings import settings

if problems := read_with_problems(settings().project_dir)[1]:
    raise ContractError(problems, settings().project_dir)
