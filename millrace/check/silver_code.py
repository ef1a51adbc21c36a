"""A source's `silver.py`: it defines what refinement looks for."""

import ast
from collections.abc import Iterator
from pathlib import Path

from millrace.contracts.catalog import Catalog
from millrace.contracts.problem import Problem

_EXAMPLE = "def refine(df: DataFrame) -> DataFrame:"


def silver_code_problems(catalog: Catalog) -> Iterator[Problem]:
    for source in catalog.sources:
        path = source.folder / "silver.py"
        if path.exists():
            yield from _judge(path)


def _judge(path: Path) -> Iterator[Problem]:
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError as error:
        yield Problem(path, error.lineno or 1, f"Python that does not parse ({error.msg})", "a Python module")
        return
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "refine" not in functions and "REJECT_RULES" not in _assigned(tree):
        yield Problem(path, 1, "neither 'refine' nor 'REJECT_RULES'", "one of them", _EXAMPLE)
    if "refine" in functions and len(functions["refine"].args.args) != 1:
        found = f"'refine' with {len(functions['refine'].args.args)} arguments"
        yield Problem(path, functions["refine"].lineno, found, "one, the data frame", _EXAMPLE)


def _assigned(tree: ast.Module) -> set[str]:
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}
