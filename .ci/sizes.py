"""Part of `make lint`: a Python file has at most 400 lines, a function at most 40; files over 250 are named."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LIMIT, FILE_QUESTION, FUNCTION_LIMIT = 400, 250, 40


def main() -> int:
    too_long = [problem for path in _python_files() for problem in _too_long(path)]
    print("\n".join(too_long), end="\n" if too_long else "")
    return 1 if too_long else 0


def _python_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.py"], capture_output=True, check=True)
    return [path for path in map(Path, listed.stdout.decode().splitlines()) if path.exists()]


def _too_long(path: Path) -> Iterator[str]:
    text = path.read_text()
    lines = len(text.splitlines())
    if lines > FILE_LIMIT:
        yield f"{path}:1: found {lines} lines, expected at most {FILE_LIMIT}: split the file by what its parts do"
    elif lines > FILE_QUESTION:
        print(f"{path}: {lines} lines; more than {FILE_QUESTION} is a question, more than {FILE_LIMIT} fails")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > FUNCTION_LIMIT:
            yield f"{path}:{node.lineno}: found {node.name} of {_length(node)} lines, expected at most {FUNCTION_LIMIT}"


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


if __name__ == "__main__":
    sys.exit(main())
