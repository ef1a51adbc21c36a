"""What goes with a gold model's candidate rows: the inputs that they were made of, and what the interval touched.

The steps after staging need both, and would have to ask the lake again.
"""

import json
from dataclasses import replace
from datetime import date
from typing import Any

from millrace.contracts.model import GoldModel
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.edges.staged import note_of

_DATE = "date"


def staging_note(run: BatchRun, inputs: dict[str, str]) -> str:
    """The state of each input, and all that has been found out about the interval, as text."""
    touched = [[ref, column, list(values)] for (ref, column), values in dict(run.touched).items()]
    return json.dumps({"inputs": inputs, "touched": touched}, default=lambda day: {_DATE: day.isoformat()})


def staged_inputs(run: BatchRun, model: GoldModel) -> dict[str, str]:
    """The state that the inputs had when the model was staged."""
    return dict(_read(run, model).get("inputs", {}))


def recalling(run: BatchRun, model: GoldModel) -> BatchRun:
    """The same run, with what was found out when the model was staged; nothing more where it was not."""
    found = {(ref, column): tuple(values) for ref, column, values in _read(run, model).get("touched", ())}
    return replace(run, touched=run.touched | found)


def _read(run: BatchRun, model: GoldModel) -> dict[str, Any]:
    staged = lake.read(run.spark, run.staging("gold", model.name))
    note = None if staged is None else note_of(staged)
    return {} if note is None else dict(json.loads(note, object_hook=_decoded))


def _decoded(found: dict[str, Any]) -> Any:
    return date.fromisoformat(found[_DATE]) if set(found) == {_DATE} else found
