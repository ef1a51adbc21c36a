"""A control plane of the tests' own in place of PostgreSQL, patched in where operator and trigger reach for it."""

from stream_states import SETTINGS, gone, group


class Plane:
    """A control plane of our own in place of PostgreSQL, patched in where operator and trigger reach for it."""

    def __init__(self, monkeypatch, state):
        from millrace_airflow import driver
        from millrace_airflow.operators import stream_group as operator
        from millrace_airflow.triggers import stream_group as trigger

        self.state, self.launched, self.killed, self.seen = state, 0, 0, "runs"
        self.alerts, self.failures = [], []
        for module in (operator, trigger):
            monkeypatch.setattr(module, "connect", lambda _: self)
            monkeypatch.setattr(module, "read_group", lambda *_: self.state)
            monkeypatch.setattr(module, "settings", lambda: SETTINGS)
            monkeypatch.setattr(module, "wanted_fingerprint", lambda _: "now")
            monkeypatch.setattr(module, "look", lambda _: driver.Seen(self.seen))
            monkeypatch.setattr(module, "obstacle", lambda _: None)
        monkeypatch.setattr("millrace.alerting.all_clear", lambda *_: None)
        monkeypatch.setattr(operator, "launch", self._launch)
        monkeypatch.setattr(operator, "kill_driver", self._kill)
        monkeypatch.setattr(operator, "release", self._release)
        monkeypatch.setattr(operator, "record_failure", self._record)
        monkeypatch.setattr(operator, "raise_alert", lambda _, **alert: self.alerts.append(alert))
        monkeypatch.setattr("millrace.alerting.show_alerts", lambda *_: None)
        monkeypatch.setattr(operator, "give_up", self._give_up)
        monkeypatch.setattr("socket.gethostname", lambda: "here")
        monkeypatch.setattr(operator, "set_desired", self._wish)
        monkeypatch.setattr(operator, "reset_attempts", self._forgive)
        monkeypatch.setattr(operator, "forgive", self._forgive)
        monkeypatch.setattr(operator, "log_tail", lambda *_: "the log's end")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def _launch(self, *_):
        self.launched += 1
        return 4711

    def _kill(self, _pid):
        self.killed += 1
        return 2

    def _release(self, _conn, lease):
        self.state = gone(epoch=lease.epoch, attempts=self.state.attempts, desired=self.state.desired)

    def _record(self, _conn, _group, error):
        self.failures.append(error)
        self.state = group(**vars(self.state) | {"last_error": error})

    def _forgive(self, *_):
        self.state = group(**vars(self.state) | {"attempts": 0, "last_error": None, "given_up": None})

    def _give_up(self, _conn, _group, fingerprint):
        self.state = group(**vars(self.state) | {"given_up": fingerprint})

    def _wish(self, _conn, _group, desired, by):
        self.state = group(**vars(self.state) | {"desired": desired, "desired_by": by})
