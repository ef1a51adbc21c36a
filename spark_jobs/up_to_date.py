"""Whether a gold model would come out as it is: same inputs, same SELECT, same suite, and the table as it was left.

Hours that are refined together touch the same day. The first run that finds all of them in silver makes the day's
partitions; the others find them made. A model that takes silver's rows one by one is made interval by interval.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from millrace.contracts.model import GoldModel
from millrace.control.gold import Made
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.narrowing import Values, partition_of, path_of, touched_of

_ALL = "all inputs"


def inputs_of(run: BatchRun, model: GoldModel, values: Values) -> dict[str, str]:
    """What the candidates are made of: fingerprints, by the partitions (of a `key` model: the inputs') they stand for.

    A `key` model reads its keys' rows wherever they lie, so what all inputs hold goes with it. Nothing for a model that
    only takes new rows: what it holds is not made again.
    """
    if model.insert_key:
        return {}
    suite = run.catalog.suite_path("gold", model.name)
    recipe = _hash(model.sql, suite.read_text() if suite.exists() else "")
    parts = {str(value): _hash(recipe, *_made_of(run, model, value)) for value in values}
    everything = (lake.fingerprint(run.spark, path_of(run, ref)) for ref in model.inputs)
    return parts | ({_ALL: _hash(*everything)} if model.key else {})


def is_up_to_date(run: BatchRun, model: GoldModel, values: Values, inputs: dict[str, str]) -> bool:
    """Whether these inputs are those of the last publication, and the table is as that has left it."""
    if not inputs:
        return False
    known = run.memory.recall(run.settings, run.path("gold", model.name))
    if any(part not in known or known[part].inputs != inputs[part] for part in map(str, values)):
        return False
    if lake.read(run.spark, run.path("gold", model.name)) is None:
        return False
    return all(known[str(value)].outcome == outcome_of(run, model, value) for value in values)


def remember(run: BatchRun, model: GoldModel, values: Values, inputs: dict[str, str]) -> None:
    """Write down what the model's partitions have just been made of."""
    if inputs:
        made = {str(value): Made(inputs[str(value)], outcome_of(run, model, value)) for value in values}
        run.memory.remember(run.settings, run.path("gold", model.name), made)


def outcome_of(run: BatchRun, model: GoldModel, value: Any) -> str:
    """The fingerprint of one partition of the model's table; of all of it where it has none."""
    return lake.fingerprint(run.spark, run.path("gold", model.name), model.partition, value)


def _made_of(run: BatchRun, model: GoldModel, value: Any) -> Iterator[str]:
    for ref in model.inputs:
        column = model.partition or partition_of(run, ref)
        if model.partition or value in touched_of(run, ref, column):
            yield lake.fingerprint(run.spark, path_of(run, ref), column, value)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
