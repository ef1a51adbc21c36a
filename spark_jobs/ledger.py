"""The ledger of an interval: counts every table afresh, says where anything is missing, and alerts.

An interval of several hours has a line of its own, with all copies of what it brought, and one for each hour, with what
the lake holds of it: hours that lack and hours that have too much do not make up for each other.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from psycopg import Connection

from millrace.alerting import show_alerts
from millrace.completeness import acked, held
from millrace.contracts.source import Source
from millrace.control.alerts import open_alerts, raise_alert, resolve_alerts
from millrace.control.database import connect
from millrace.control.ledger import Copy, Entry, show_entries, write_entry
from millrace.errors import ConfigError, TransientError, Unbalanced
from millrace.intervals import Interval
from spark_jobs.batch import BatchRun
from spark_jobs.copies import gold_copies, live_copies, served_copies, unknown_copies
from spark_jobs.edges.quarantine_index import index_rejected
from spark_jobs.lake_counts import LakeCounts, count_lake, rows_of, total
from spark_jobs.sync import clickhouse
from spark_jobs.transforms.silver import contradiction

log = logging.getLogger(__name__)
_RECOUNTED = 3
"""So many intervals with an open alert are counted again with each new one: what was repaired since is told."""
_MOST_ALERTS = 10_000


@dataclass(frozen=True)
class Recounted:
    """How many lines of the ledger were written anew."""

    entries: int
    unbalanced: int


def write_ledger(run: BatchRun, name: str) -> Entry | None:
    """Count the interval, and again what did not balance before; raises Unbalanced once the lines are written.

    Returns the line of the whole interval. None for one that bronze no longer holds: its lines stay as they are.
    """
    source = run.catalog.source(name)
    if not _countable(run.interval, source):
        log.warning("%s, %s: bronze no longer holds it; the ledger stays as it is", name, run.interval)
        return None
    entries = _write(run, source)
    for interval in _to_look_at_again(run, source):
        _write(replace(run, interval=interval, run_id=f"{run.run_id} recount"), source)
    _insist(entries)
    return entries[0]


def recount(run: BatchRun, name: str) -> Recounted:
    """Count every hour of the run's interval afresh; raises Unbalanced, naming the hours that do not balance."""
    source = run.catalog.source(name)
    if not _countable(run.interval, source):
        raise ConfigError(
            f"{name}: bronze keeps {source.bronze_retention}, so that {run.interval.start} cannot be counted any more; "
            "choose a later 'from'"
        )
    entries = [entry for hour in run.interval.by_hours() for entry in _write(replace(run, interval=hour), source)]
    _insist(entries)
    return Recounted(len(entries), 0)


def count_entries(run: BatchRun, source: Source) -> tuple[list[Entry], TransientError | None]:
    """What each table holds: of the interval, then of each of its hours where there are several.

    With it comes why ClickHouse could not be asked, if it could not.
    """
    by_hour = count_lake(run, source)
    counted = {run.interval: total(by_hour.values())} | by_hour  # of a single hour, the same
    offsets = acked(run.settings, source, *counted)
    copies, away = _copies(run, source, counted[run.interval])
    entries = []
    for (interval, counts), given in zip(counted.items(), offsets, strict=True):
        part = replace(run, interval=interval)
        known = copies if interval == run.interval else {}
        entries.append(_entry(part, source, counts, _acked(part, source, counts, given), known))
    return entries, away


def _insist(entries: list[Entry]) -> None:
    if wrong := [entry for entry in entries if not entry.balances]:
        raise Unbalanced("\n".join(map(sentence, wrong)))


def _entry(
    run: BatchRun, source: Source, counts: LakeCounts, kafka_acked: int | None, copies: Mapping[str, Copy]
) -> Entry:
    return Entry(
        source=source.name,
        interval_start=run.interval.start,
        interval_end=run.interval.end,
        run_id=run.run_id,
        kafka_acked=kafka_acked,
        bronze=counts.bronze,
        quarantined=counts.quarantined,
        silver=counts.silver,
        duplicates=counts.acceptable - counts.fresh - counts.reasons.get(contradiction(source), 0),
        rejected=sum(counts.reasons.values()),
        doubled=counts.bronze + counts.quarantined - counts.distinct,
        reasons=counts.reasons,
        copies=copies,
    )


def sentence(entry: Entry) -> str:
    """One line for a log."""
    verdict = "balances" if entry.balances else f"DOES NOT BALANCE: {entry.verdict}"
    copies = "".join(f"; {name} {copy.found} of {copy.expected}" for name, copy in entry.copies.items())
    return (
        f"ledger of {entry.source}, {entry.interval}: {verdict}; "
        f"acked {entry.kafka_acked} = bronze {entry.bronze} + quarantined {entry.quarantined}; "
        f"bronze = silver {entry.silver} + duplicates {entry.duplicates} + rejected {entry.rejected}{copies}"
    )


def _countable(interval: Interval, source: Source) -> bool:
    return datetime.now(UTC) - interval.start < source.bronze_retention


def _to_look_at_again(run: BatchRun, source: Source) -> list[Interval]:
    """Other intervals with an open alert, those first that were looked at longest ago."""
    with connect(run.settings) as conn:
        subjects = _alerted(conn, source.name)
    others = [i for i in reversed(subjects) if not run.interval.contains(i) and _countable(i, source)]
    return others[:_RECOUNTED]


def _write(run: BatchRun, source: Source) -> list[Entry]:
    """Count, write the lines, raise or resolve alerts, and show both in ClickHouse; the whole interval comes first."""
    counted, away = count_entries(replace(run, touched={}), source)
    for entry in counted:
        log.log(logging.INFO if entry.balances else logging.ERROR, "%s", sentence(entry))
    with connect(run.settings) as conn:
        entries = [write_entry(conn, entry) for entry in counted]
        for entry in told(entries):
            if away is None or not entry.balances:
                _alert(conn, entry)
        if away is not None:
            raise away
        with clickhouse(run.settings) as client:
            show_entries(client, entries)
        show_alerts(conn, run.settings)
    _complete_index(run, source, entries[0].rejected)
    return entries


def told(entries: list[Entry]) -> list[Entry]:
    """Whose alerts are raised or resolved, in order: of the parts of an interval that does not balance, it speaks.

    One that balances resolves the alerts of its parts; those that are due come after it.
    """
    whole, *parts = entries
    return [whole, *(part for part in parts if whole.balances or part.balances)]


def _complete_index(run: BatchRun, source: Source, rejected: int) -> None:
    """Publishing silver does not wait for the index of what it rejected."""
    if rejected and (rows := rows_of(run, "rejected", source)) is not None:
        index_rejected(run.settings, source.name, rows)


def _alert(conn: Connection, entry: Entry) -> None:
    if entry.balances:
        for part in filter(entry.interval.contains, _alerted(conn, entry.source)):
            resolve_alerts(conn, "imbalance", _subject(entry.source, part), by=f"the ledger of {entry.run_id}")
        return
    raise_alert(
        conn,
        kind="imbalance",
        subject=_subject(entry.source, entry.interval),
        message=sentence(entry),
        severity="critical",
        run_id=entry.run_id,
    )


def _subject(source: str, interval: Interval) -> str:
    return f"{source} {interval.key}"


def _alerted(conn: Connection, source: str) -> list[Interval]:
    """Intervals of the source with an open alert, the newest alert first."""
    subjects = [alert.subject.split(" ", 1) for alert in open_alerts(conn, "imbalance", _MOST_ALERTS)]
    return [Interval.from_key(key) for name, key in subjects if name == source]


def _copies(run: BatchRun, source: Source, counts: LakeCounts) -> tuple[dict[str, Copy], TransientError | None]:
    gold = gold_copies(run, source)
    try:
        with clickhouse(run.settings) as client:
            live = live_copies(run, client, source, counts.bronze)
            return gold | served_copies(run, client, source) | live, None
    except TransientError as error:
        log.warning("the copies in ClickHouse cannot be counted: %s", error)
        return gold | unknown_copies(run, source), error


def _acked(run: BatchRun, source: Source, counts: LakeCounts, offsets: int | None) -> int | None:
    """What Kafka acked: told by offsets alone where they agree, since that costs nothing; else each record is read.

    Transactions, aborted ones above all, leave offsets that are no records.
    """
    if offsets is None or offsets == counts.distinct:
        return offsets
    records = held(run.settings, source, run.interval)
    log.info("%s, %s: %s offsets, of which %s are records", source.name, run.interval, offsets, records)
    return records
