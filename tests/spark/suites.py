"""Expectation suites that tests write."""

import json
from pathlib import Path
from typing import Any


def rule(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


def suite(folder: Path, *rules: dict[str, Any], **meta: Any) -> Path:
    path = folder / "suite.json"
    path.write_text(json.dumps({"name": "silver.user_events", "expectations": rules, "meta": meta}))
    return path
