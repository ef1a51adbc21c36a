"""The alerts of queries that are set apart: what the control plane could not hear is told once it answers again."""

import logging
from dataclasses import dataclass, field

import psycopg
from psycopg import Connection

from millrace.control.alerts import open_alerts, raise_alert, resolve_alerts
from millrace.errors import TransientError
from spark_jobs.attempts import Attempt
from spark_jobs.edges.lease import Fence

log = logging.getLogger(__name__)
_MOST = 10_000


@dataclass
class QueryAlerts:
    """What failed for a lasting reason, and what works again. The alerts of an earlier driver of the group count as
    ours: a mended model starts with a new one. What is no `subjects` of ours is gone, and fails no more."""

    fence: Fence
    subjects: frozenset[str]
    _open: set[str] | None = None
    """None until the control plane has said which are open."""
    _untold: dict[str, str | None] = field(default_factory=dict)
    """What each failed of; None for what works again."""
    _attempt: Attempt = field(default_factory=Attempt)

    def failed(self, subject: str, message: str) -> None:
        self._untold[subject] = message

    def works(self, subject: str) -> None:
        """Costs nothing where no alert is open: say so as often as you like."""
        if subject in (self._open or ()) or self._untold.get(subject):
            self._untold[subject] = None

    def tell(self) -> None:
        """Tell the control plane what has changed, if anything; never raises what goes away by itself."""
        if not self._attempt.due or (self._open is not None and not self._untold):
            return
        try:
            self.fence.run(self._tell)
        except (psycopg.Error, TransientError) as error:
            log.warning("alerts wait, next attempt in %.0f s: %s", self._attempt.failed(), error)
        else:
            self._attempt = Attempt()

    def _tell(self, conn: Connection) -> None:
        if self._open is None:
            ours = (a for a in open_alerts(conn, "query_failed", _MOST) if a.run_id in (None, self._group))
            self._open = {alert.subject for alert in ours}
            for gone in self._open - self.subjects:
                self._untold.setdefault(gone, None)
        for subject, message in list(self._untold.items()):
            if self._told(conn, subject, message):
                del self._untold[subject]
                self._open = self._open - {subject} if message is None else self._open | {subject}
        if self._untold:
            raise TransientError(f"PostgreSQL did not take those of {', '.join(self._untold)}")

    def _told(self, conn: Connection, subject: str, message: str | None) -> bool:
        if message is None:
            by = f"the stream group: it {'runs again' if subject in self.subjects else 'is gone'}"
            return resolve_alerts(conn, "query_failed", subject, by) is not None
        return raise_alert(
            conn, kind="query_failed", subject=subject, message=message, severity="critical", run_id=self._group
        )

    @property
    def _group(self) -> str:
        return self.fence.lease.group
