"""What ClickHouse's copy of a gold table was last made of: where neither has changed since, they still agree."""

from clickhouse_connect.driver.client import Client

from millrace.clickhouse.served import contents, served
from millrace.contracts.model import GoldModel
from millrace.control.gold import Made
from spark_jobs.batch import BatchRun
from spark_jobs.narrowing import Values
from spark_jobs.up_to_date import outcome_of


def remember_served(run: BatchRun, client: Client, model: GoldModel, values: Values) -> None:
    """Write down that these partitions agree, as a sync has just left them."""
    run.memory.remember(run.settings, _copy(run, model), _as_they_are(run, client, model, values))


def is_served(run: BatchRun, client: Client, model: GoldModel, values: Values) -> bool:
    """Whether lake and copy are as the last sync of these partitions has left them."""
    known = run.memory.recall(run.settings, _copy(run, model))
    if not set(map(str, _parts(model, values))) <= known.keys():
        return False
    return known.items() >= _as_they_are(run, client, model, values).items()


def _as_they_are(run: BatchRun, client: Client, model: GoldModel, values: Values) -> dict[str, Made]:
    assert model.serve is not None
    parts = _parts(model, values)
    held = contents(client, served(model, model.serve, ()), parts) if parts else {}
    return {str(part): Made(outcome_of(run, model, part), str(held.get(part))) for part in parts}


def _parts(model: GoldModel, values: Values) -> Values:
    """The partitions; None stands for a table without any."""
    return values if model.partition else (None,)


def _copy(run: BatchRun, model: GoldModel) -> str:
    return f"{run.path('gold', model.name)} in {model.served_as}"
