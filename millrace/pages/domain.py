"""The page of a domain: its lineage as a picture, then each source and each model; and the index of domains."""

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.pages.lineage import lineage
from millrace.pages.markdown import code, table
from millrace.pages.model import model_section
from millrace.pages.source import source_section


def domain_page(catalog: Catalog, domain: str) -> str:
    sources = [source for source in catalog.sources if source.domain == domain]
    models = [model for model in catalog.models if model.domain == domain]
    parts = [
        f"# {domain}",
        f"Refined hourly by the DAG {code(names.medallion_dag(domain))}.",
        lineage(catalog, domain),
        "## Sources" if sources else "",
        *(source_section(source) for source in sources),
        "## Models" if models else "",
        *(model_section(model) for model in models),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index_page(catalog: Catalog) -> str:
    rows = []
    for domain in catalog.domains:
        sources = [source.name for source in catalog.sources if source.domain == domain]
        models = [model.name for model in catalog.models if model.domain == domain]
        rows.append((f"[{domain}]({domain}.md)", ", ".join(sources), ", ".join(models)))
    text = "What flows through Millrace, domain by domain: where it comes from, what it looks like, and who reads it."
    return f"# Catalog\n\n{text}\n\n{table(('domain', 'sources', 'models'), rows)}\n"
