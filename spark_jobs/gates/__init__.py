"""Gates: a suite judges exactly the rows that a stage is about to publish; `run_gate` is the way in."""

from spark_jobs.gates.result import GateFailed, GateResult, RuleResult
from spark_jobs.gates.run import run_gate

__all__ = ["GateFailed", "GateResult", "RuleResult", "run_gate"]
