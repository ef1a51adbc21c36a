"""What would make a driver fail at its start whatever it does: waiting for it costs nothing, an attempt would."""

import shutil
import socket
from pathlib import Path

from millrace.settings import Settings

PATIENCE_SECONDS = 2.0
NEEDED_BYTES = 8_000_000
"""Room on the disk of checkpoints below which a query cannot even begin."""


def obstacle(settings: Settings) -> str | None:
    """Why a launch now would come to nothing, if it would."""
    if not any(_answers(broker) for broker in settings.kafka_bootstrap.split(",")):
        return f"Kafka at {settings.kafka_bootstrap} does not answer"
    return _no_room(settings.checkpoints)


def _answers(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS).close()
    except OSError:
        return False
    return True


def _no_room(folder: str) -> str | None:
    """Only a local folder can be asked; the nearest that exists tells for one that does not yet."""
    if "://" in folder:
        return None
    existing = next(path for path in (Path(folder), *Path(folder).absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return f"the disk of {folder} is full ({free:,} bytes are free)" if free < NEEDED_BYTES else None
