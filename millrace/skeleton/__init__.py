"""`millrace new-source`: the files of a new source that pass `millrace check` and run as they are."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from millrace.errors import ConfigError

_PLACE = re.compile(r"^(?P<domain>[a-z][a-z0-9_]{0,62})/(?P<source>[a-z][a-z0-9_]{0,47})$")
_FILES = {
    "sources/$domain/$source/source.yaml": "source.yaml.in",
    "sources/$domain/$source/event.avsc": "event.avsc.in",
    "models/$domain/realtime/$realtime.sql": "realtime.sql.in",
    "models/$domain/gold/$gold.sql": "gold.sql.in",
    "expectations/bronze/$source.json": "bronze.json.in",
    "expectations/silver/$source.json": "silver.json.in",
    "expectations/gold/$gold.json": "gold.json.in",
    "tests/cases/$source/first_rows/kafka.jsonl": "kafka.jsonl.in",
    "tests/cases/$source/first_rows/silver.jsonl": "silver.jsonl.in",
    "tests/cases/$source/first_rows/quarantine.jsonl": "quarantine.jsonl.in",
}
Kind = Literal["stream", "cdc", "poll"]
Format = Literal["json", "avro"]


def new_source(project_dir: Path, place: str, kind: Kind = "stream", form: Format = "json") -> list[Path]:
    """Write the files of `place` (`<domain>/<source>`) and return them; raises ConfigError before anything is written.

    The project around them is not edited: everything that runs follows from these files.
    """
    values = _values(place, kind, form)
    planned = {project_dir / _filled(path, values): template for path, template in _FILES.items()}
    _refuse_existing(project_dir, planned, values["source"])
    for path, template in planned.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled((files(__name__) / "templates" / template).read_text(), values))
    return list(planned)


def _values(place: str, kind: Kind, form: Format) -> dict[str, str]:
    match = _PLACE.match(place)
    if not match:
        raise ConfigError(f"found '{place}', expected <domain>/<source> in small letters, e.g. shop/order_lines")
    domain, source = match["domain"], match["source"]
    return {
        "domain": domain, "source": source, "kind": kind, "format": form, "owner": f"{domain}-data",
        "topic": source.replace("_", "-"), "what": source.replace("_", " ").removesuffix("s"),
        "record": "".join(word.capitalize() for word in source.split("_")),
        "realtime": f"{source}_per_minute", "gold": f"{source}_per_day",
    }  # fmt: skip


def _refuse_existing(project_dir: Path, planned: dict[Path, str], source: str) -> None:
    existing = [path for path in planned if path.exists()]
    existing += list((project_dir / "sources").glob(f"*/{source}/source.yaml"))
    if existing:
        listed = "\n  ".join(sorted({str(path) for path in existing}))
        raise ConfigError(f"nothing was written, because these exist:\n  {listed}\nTake another name for the source.")


def _filled(text: str, values: dict[str, str]) -> str:
    return Template(text).substitute(values)
