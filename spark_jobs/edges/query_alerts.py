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
    """What failed for a lasting reason, and what works again. The alerts of an earlier driver count as ours: a mended
    model starts with a new one."""

    fence: Fence
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
            self._open = {alert.subject for alert in open_alerts(conn, "query_failed", _MOST)}
        for subject, message in list(self._untold.items()):
            if _told(conn, subject, message):
                del self._untold[subject]
                self._open = self._open - {subject} if message is None else self._open | {subject}
        if self._untold:
            raise TransientError(f"PostgreSQL did not take those of {', '.join(self._untold)}")


def _told(conn: Connection, subject: str, message: str | None) -> bool:
    if message is None:
        return resolve_alerts(conn, "query_failed", subject, "the stream group: it runs again") is not None
    return raise_alert(conn, kind="query_failed", subject=subject, message=message, severity="critical")
