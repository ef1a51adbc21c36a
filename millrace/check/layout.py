"""Files that lie where nothing reads them: a folder without its contract, a model outside its kind's folder."""

from collections.abc import Iterator
from pathlib import Path

from millrace.contracts.problem import Problem


def layout_problems(project_dir: Path) -> Iterator[Problem]:
    yield from _sources(project_dir / "sources")
    yield from _models(project_dir / "models")


def _sources(root: Path) -> Iterator[Problem]:
    for folder in sorted(p for p in root.glob("*/*") if p.is_dir() and p.name != "__pycache__"):
        if not (folder / "source.yaml").exists() and any(folder.iterdir()):
            yield Problem(folder, 1, "a folder without source.yaml", "the source's contract", "source.yaml")
    for path in sorted(root.rglob("source.y*ml")):
        if path.name == "source.yml" or len(path.relative_to(root).parts) != 3:
            yield Problem(path, 1, "a contract in this place", "sources/<domain>/<source>/source.yaml")


def _models(root: Path) -> Iterator[Problem]:
    for path in sorted(root.rglob("*.sql")):
        if len(path.relative_to(root).parts) != 3:
            expected = "models/<domain>/<realtime, stream or gold>/<table>.sql"
            yield Problem(path, 1, "a model in this place", expected, "models/shop/gold/daily_orders.sql")
