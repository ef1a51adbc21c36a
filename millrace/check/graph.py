"""The inputs of models: they exist, they are of a layer that the kind reads, and they make no circle."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from millrace.contracts.catalog import Catalog, model_files, source_folders
from millrace.contracts.model import GoldModel, Model
from millrace.contracts.problem import Problem, one_of
from millrace.contracts.read import problem_at


def graph_problems(catalog: Catalog) -> Iterator[Problem]:
    for model in catalog.models:
        yield from _inputs(catalog, model)
    yield from _circle(catalog)


def _inputs(catalog: Catalog, model: Model) -> Iterator[Problem]:
    offered = offered_inputs(catalog, model)
    for number, reference in enumerate(model.inputs):
        if reference not in offered:
            found = f"input '{reference}' of a {model.kind} model in {model.domain}"
            yield problem_at(model, ("inputs", number), found, one_of(sorted(offered), reference))
    if not isinstance(model, GoldModel) and len(model.inputs) > 1:
        found = f"{len(model.inputs)} inputs of a {model.kind} model"
        yield problem_at(model, ("inputs",), found, "one source; joins belong in gold", f"inputs: [{model.inputs[0]}]")


def offered_inputs(catalog: Catalog, model: Model) -> set[str]:
    """What a model of this kind may read; by the names of files, so that one broken file is reported once.

    A gold model reads its own domain, since one DAG refines a domain and knows when its tables are complete.
    """
    sources = list(source_folders(catalog.project_dir))
    if not isinstance(model, GoldModel):
        return {folder.name for folder in sources}
    gold = [path for path in model_files(catalog.project_dir) if path.parent.name == "gold" and path != model.path]
    silver = {f"silver.{folder.name}" for folder in sources if folder.parent.name == model.domain}
    return silver | {f"gold.{path.stem}" for path in gold if path.parent.parent.name == model.domain}


def _circle(catalog: Catalog) -> Iterator[Problem]:
    graph = {f"gold.{model.name}": set(model.inputs) for model in catalog.gold}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        model = catalog.gold_model(circle[0].removeprefix("gold."))
        yield problem_at(model, ("inputs",), f"a circle of inputs: {' <- '.join(circle)}", "models without a circle")
