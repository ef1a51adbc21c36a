"""What a person asks for: which records of quarantine, and what shall become of them."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from millrace.contracts.source import Strict
from millrace.errors import ConfigError
from millrace.quarantine.fix import fix_problem

Stage = Literal["landing", "silver"]
Action = Literal["replay", "discard"]


class Selection(Strict):
    """Records of one source that one stage refused; every condition that is given must hold."""

    source: str
    stage: Stage = "landing"
    group: str | None = None
    """Id of a group, as `millrace quarantine list` shows it."""
    reason: str | None = None
    """Text that the reason contains."""
    since: AwareDatetime | None = None
    """Earliest append time, inclusive."""
    until: AwareDatetime | None = None
    """Latest append time, exclusive."""
    limit: int | None = Field(default=None, ge=1)
    """Take the oldest so many."""
    again: bool = False
    """Take also what was replayed or discarded before."""

    @property
    def span(self) -> tuple[datetime | None, datetime | None]:
        return self.since, self.until


class Request(Strict):
    """Replay or discard what a selection finds. Replay without a fix sends the records as they were."""

    selection: Selection
    action: Action
    fix: str | None = None
    """Spark SQL expression over the original that gives the new value; see docs/operating.md for its inputs."""
    why: str = ""
    by: str = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.action == "discard" and (self.fix is not None or not self.why.strip()):
            raise ValueError("found no reason, or a fix; to discard records takes a reason, and nothing else")
        if self.action == "replay" and self.selection.stage == "silver" and self.fix is None:
            raise ValueError(
                "rows that silver refused would be refused again as they are; give a fix, or, if a rule was changed, "
                "run their hours again"
            )
        if self.fix is not None and (problem := fix_problem(self.fix)):
            raise ValueError(problem)
        return self


def request_from(**values: Any) -> Request:
    """Build a request from what a person typed; raises ConfigError saying what is wrong."""
    own = {name: values.pop(name) for name in ("action", "fix", "why", "by") if name in values}
    try:
        return Request(selection=Selection(**values), **own)
    except ValidationError as error:
        raise ConfigError("; ".join(_told(problem) for problem in error.errors())) from error


def _told(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
