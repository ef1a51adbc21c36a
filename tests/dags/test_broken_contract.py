"""A broken contract: its domain's DAG goes, the others stay, and Airflow shows file and line."""

import shutil
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "project"
RENAMES = {"demo": "other", "orders": "visits", "refunds": "returns", "balance": "rest"}


def renamed(text):
    for old, new in RENAMES.items():
        text = text.replace(old, new)
    return text


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The demo domain, and a copy of it under other names; dags/ reads this project."""
    from millrace import settings as module

    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True)
    for file in [p for p in tmp_path.rglob("*") if p.is_file()]:
        copy = tmp_path / renamed(str(file.relative_to(tmp_path)))
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(renamed(file.read_text()))
    chosen = module.settings().model_copy(update={"project_dir": tmp_path})
    monkeypatch.setattr(module, "settings", lambda: chosen)
    return tmp_path


def bag():
    from airflow.dag_processing.dagbag import DagBag

    found = DagBag(Path(__file__).resolve().parents[2] / "dags")
    return set(found.dags), "\n".join(found.import_errors.values())


def test_whole_domains_all_have_their_dag(project):
    dags, errors = bag()
    assert {"demo_medallion", "other_medallion"} <= dags
    assert errors == ""


def test_a_broken_source_takes_its_domain_alone(project):
    contract = project / "sources/other/visits/source.yaml"
    contract.write_text(contract.read_text().replace("order_id", "no_such_field"))
    dags, errors = bag()
    assert {"demo_medallion", "stream_group_streams", "lake_maintenance"} <= dags
    assert "other_medallion" not in dags
    assert "sources/other/visits/source.yaml:" in errors
    assert "no_such_field" in errors


@pytest.mark.parametrize("foreign", ["silver.nothing", "silver.orders", "gold.daily_visits"])
def test_a_model_without_its_input_takes_its_domain_alone(project, foreign):
    """Nothing of that name, a table of another domain, itself."""
    model = project / "models/other/gold/daily_visits.sql"
    model.write_text(model.read_text().replace("silver.visits", foreign))
    dags, errors = bag()
    assert "demo_medallion" in dags
    assert "other_medallion" not in dags
    assert "models/other/gold/daily_visits.sql:" in errors


def test_a_table_name_belongs_to_one_domain(project):
    shutil.copytree(project / "sources/demo/orders", project / "sources/other/orders")
    dags, errors = bag()
    assert {"demo_medallion", "lake_maintenance"} <= dags
    assert "other_medallion" not in dags
    assert "sources/other/orders/source.yaml:" in errors


def test_a_removed_domain_takes_its_dag_with_it(project):
    shutil.rmtree(project / "sources/other")
    shutil.rmtree(project / "models/other")
    dags, errors = bag()
    assert "other_medallion" not in dags
    assert errors == ""
