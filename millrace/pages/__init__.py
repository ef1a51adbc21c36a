"""`millrace docs`: the pages that follow from contracts, models and settings, and whether those on disk still do."""

from pathlib import Path

from millrace.contracts.catalog import Catalog, read_catalog
from millrace.pages.domain import domain_page, index_page
from millrace.pages.settings import settings_page

CATALOG = Path("docs/catalog")
SETTINGS = Path("docs/settings.md")
INDEX = "README.md"
MARK = "<!-- Written by `millrace docs` from contracts, models and settings: edit those and run it again. -->"


def write_pages(project_dir: Path) -> list[Path]:
    """Write every page, remove those of domains that are gone, and return what changed."""
    changed = drifted(project_dir)
    wanted = pages(read_catalog(project_dir))
    for path in changed:
        if path in wanted:
            (project_dir / path).parent.mkdir(parents=True, exist_ok=True)
            (project_dir / path).write_text(wanted[path])
        else:
            (project_dir / path).unlink()
    return changed


def drifted(project_dir: Path) -> list[Path]:
    """Pages, relative to the project, that are missing, outdated or left over."""
    wanted = pages(read_catalog(project_dir))
    stale = {path for path, text in wanted.items() if _read(project_dir / path) != text}
    found = {path.relative_to(project_dir) for path in (project_dir / CATALOG).glob("*.md")}
    return sorted(stale | {path for path in found - set(wanted) if _read(project_dir / path).startswith(MARK)})


def pages(catalog: Catalog) -> dict[Path, str]:
    """The text of every page by its path."""
    texts = {CATALOG / f"{domain}.md": domain_page(catalog, domain) for domain in catalog.domains}
    texts[CATALOG / INDEX] = index_page(catalog)
    texts[SETTINGS] = settings_page()
    return {path: f"{MARK}\n\n{text}" for path, text in texts.items()}


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
