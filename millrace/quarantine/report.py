"""What a dry run found, and what its application did: counts and reasons, never what a record holds."""

from collections.abc import Iterator

from millrace.contracts.source import Strict
from millrace.quarantine.request import Request


class Group(Strict):
    """Records that failed alike, and where one of them lies: `topic/partition/offset`."""

    reason: str
    records: int
    example: str


class Report(Strict):
    """A dry run. `matched` = `ready` + `landed` + the refused; for a discard, all that matched are ready."""

    plan_id: str
    request: Request
    matched: int
    ready: int
    """Would be sent, or discarded."""
    landed: int = 0
    """An acceptable record with the same event id has landed already: nothing is sent, the record is closed."""
    found: tuple[Group, ...]
    """Why the records are in quarantine."""
    refused: tuple[Group, ...] = ()
    """What would still be wrong with records after the fix: they are not sent, and stay open."""

    @property
    def nothing_to_do(self) -> bool:
        return self.ready + self.landed == 0


class Applied(Strict):
    """What became of a plan."""

    plan_id: str
    replayed: int = 0
    superseded: int = 0
    discarded: int = 0


def markdown(report: Report) -> str:
    """The dry run for a person who has to decide."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    request, chosen = report.request, report.request.selection
    yield f"**{request.action}** records of `{chosen.source}` that {chosen.stage} refused; asked for by {request.by}"
    yield ""
    if request.why:
        yield f"- why: {request.why}"
    if request.action == "replay":
        yield f"- fix: `{request.fix}`" if request.fix else "- fix: none, the records go as they were"
    yield f"- matched: **{report.matched:,}**"
    if request.action == "discard":
        yield f"- would be discarded: **{report.ready:,}**"
    else:
        yield f"- would be sent: **{report.ready:,}**"
        yield f"- have landed meanwhile, and would be closed: **{report.landed:,}**"
        yield f"- would still be refused, and stay open: **{sum(g.records for g in report.refused):,}**"
    yield from _table("Why they are in quarantine", report.found)
    yield from _table("What would still be wrong", report.refused)


def _table(title: str, groups: tuple[Group, ...]) -> Iterator[str]:
    if not groups:
        return
    yield from ("", f"| {title} | records | one of them |", "|---|---:|---|")
    for group in groups:
        reason = group.reason.replace("|", "\\|").replace("\n", " ")
        yield f"| {reason} | {group.records:,} | {group.example} |"
