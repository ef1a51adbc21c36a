"""The two steps of the quarantine DAG that do something: the dry run before the approval, the application after it."""

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from millrace_airflow.operators.spark_task import SparkTaskOperator
from millrace_airflow.run_interval import parse_moment

DRY_RUN, APPROVE, CARRY_OUT = "dry_run", "approve", "carry_out"
"""Ids of the tasks, which read each other's results."""


class QuarantineDryRunOperator(SparkTaskOperator):
    """Makes a plan from the run's params; XCom carries its id, counts, and the text for the approval."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Skips the rest of the run when there is nothing to do."""
        from millrace.check.healthy import healthy_catalog
        from millrace.quarantine.report import markdown
        from millrace.quarantine.request import request_from
        from millrace.settings import settings
        from spark_jobs.replay import plan

        chosen, params = settings(), context["params"]
        request = request_from(
            **wanted(params), by=getattr(context["dag_run"], "triggering_user_name", None) or "airflow"
        )
        with self.spark(chosen) as session:
            report = plan(session, chosen, healthy_catalog(chosen.project_dir), request)
        text = markdown(report)
        self.log.info("plan %s\n%s", report.plan_id, text)
        if report.nothing_to_do:
            raise AirflowSkipException(f"nothing to {request.action}: {report.matched} records match, none would go on")
        return {"plan_id": report.plan_id, "matched": report.matched, "ready": report.ready, "text": text}


class QuarantineCarryOutOperator(SparkTaskOperator):
    """Applies the plan that was approved; retried, it goes on where it broke off."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Gives the counts of what became of the records."""
        from millrace.check.healthy import healthy_catalog
        from millrace.settings import settings
        from spark_jobs.replay import apply

        chosen, task = settings(), context["ti"]
        plan_id = task.xcom_pull(task_ids=DRY_RUN)["plan_id"]
        answered_by = task.xcom_pull(task_ids=APPROVE)["responded_by_user"]
        with self.spark(chosen) as session:
            applied = apply(session, chosen, healthy_catalog(chosen.project_dir), plan_id, by=answered_by["name"])
        return applied.model_dump()


def wanted(params: dict[str, Any]) -> dict[str, Any]:
    """What the params ask for; a field that was left empty asks for nothing."""
    given = {name: params[name] or None for name in ("group", "reason", "limit")}
    span = {"since": parse_moment("from", params["from"]), "until": parse_moment("to", params["to"])}
    text = {"fix": (params["fix"] or "").strip() or None, "why": (params["why"] or "").strip()}
    plain = {name: params[name] for name in ("source", "stage", "action", "again")}
    return {**plain, **given, **span, **text}
