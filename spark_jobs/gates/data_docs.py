"""Data Docs as static pages: one for each gate, and an index of those that are kept."""

import html
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from great_expectations.core import ExpectationSuite, ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView

from millrace.settings import Settings
from spark_jobs.gates.result import GateResult

log = logging.getLogger(__name__)

KEPT_PAGES = 50
"""Pages of one table that stay; ClickHouse keeps the results for longer."""
_STYLE = "body{font-family:sans-serif;margin:2em}td{padding:.2em 1em}.failed{color:#b00}.warned{color:#a60}"


def site(settings: Settings) -> Path:
    return settings.state_dir / "data_docs"


def write_page(
    result: GateResult,
    suite: ExpectationSuite,
    verdicts: Sequence[ExpectationValidationResult],
    settings: Settings,
) -> Path | None:
    """Write the page of this gate, drop the oldest ones of its table, and list what is there.

    Costs the same however many gates ran before. None when the page could not be written: the verdict stands.
    """
    folder = site(settings) / result.layer / result.table
    outcome = "passed" if not result.broken else "warned" if result.success else "failed"
    page = folder / f"{result.ran_at:%Y%m%dT%H%M%S%f}-{outcome}-{result.gate_id}.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(page, _render(result, suite, verdicts))
        for old in _pages(folder)[KEPT_PAGES:]:
            old.unlink(missing_ok=True)
        _replace(site(settings) / "index.html", _index(site(settings)))
    except OSError as error:
        log.warning("gate %s: its page of Data Docs could not be written: %s", result.gate_id, error)
        return None
    return page


def _render(result: GateResult, suite: ExpectationSuite, verdicts: Sequence[ExpectationValidationResult]) -> str:
    met = sum(bool(v.success) for v in verdicts)
    validation = ExpectationSuiteValidationResult(
        success=result.success,
        results=list(verdicts),
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(verdicts),
            "successful_expectations": met,
            "unsuccessful_expectations": len(verdicts) - met,
            "success_percent": 100.0 * met / len(verdicts),
        },
        meta={
            "run_id": {"run_name": result.gate_id, "run_time": result.ran_at.isoformat()},
            "interval": result.interval_key,
            "airflow_run": result.run_id,
            "candidate_rows": result.rows,
        },
    )
    document = ValidationResultsPageRenderer().render(validation)
    view: Any = DefaultJinjaPageView()
    return str(view.render(document, show_how_to_buttons=False))


def _index(root: Path) -> str:
    folders = sorted(p for p in root.glob("*/*") if p.is_dir())
    sections = "".join(f"<h2>{f.parent.name}.{f.name}</h2><table>{_links(f, root)}</table>" for f in folders)
    return (
        f"<!doctype html><meta charset='utf-8'><title>Gates</title><style>{_STYLE}</style>"
        f"<h1>Gates</h1><p>The last {KEPT_PAGES} of each table, newest first.</p>{sections}"
    )


def _links(folder: Path, root: Path) -> str:
    rows = []
    for page in _pages(folder):
        time, outcome, gate_id = page.stem.split("-", 2)
        link = f"<a href='{html.escape(page.relative_to(root).as_posix())}'>{html.escape(gate_id)}</a>"
        rows.append(f"<tr><td>{time[:15]}</td><td class='{outcome}'>{outcome}</td><td>{link}</td></tr>")
    return "".join(rows)


def _pages(folder: Path) -> list[Path]:
    """Newest first: the names begin with the time."""
    return sorted(folder.glob("*.html"), reverse=True)


def _replace(path: Path, text: str) -> None:
    """Write a file at once, since several gates may write the index."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    draft.write_text(text)
    draft.replace(path)
