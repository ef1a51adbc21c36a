"""The schema registry, by its Confluent-compatible API."""

from typing import Any

import requests

from millrace import names
from millrace.contracts.source import Source
from millrace.errors import ConfigError, TransientError
from millrace.settings import Settings

_TIMEOUT = 10
_HEADERS = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def register(settings: Settings, source: Source) -> int:
    """Register the source's schema under its topic's subject and give its id; the same schema again gives the same id.

    Raises ConfigError when the schema breaks readers of older records.
    """
    subject = names.subject(source.topic.name)
    body = {"schema": source.record.text, "schemaType": "AVRO"}
    answer = _call(settings, "POST", f"subjects/{subject}/versions", body, accept=(409, 422))
    if "id" not in answer:
        raise ConfigError(
            f"{source.folder / 'event.avsc'}: the registry refuses this version of subject '{subject}': "
            f"{answer.get('message', answer)}. Allowed are new fields that are nullable or have a default"
        )
    _call(settings, "PUT", f"config/{subject}", {"compatibility": "BACKWARD"})
    return int(answer["id"])


def schema_by_id(settings: Settings, schema_id: int) -> str:
    """Text of the schema that a record in Confluent wire format names; raises ConfigError if there is none."""
    answer = _call(settings, "GET", f"schemas/ids/{schema_id}", accept=(404,))
    if "schema" not in answer:
        raise ConfigError(f"the registry at {settings.registry_url} knows no schema with id {schema_id}")
    return str(answer["schema"])


def _call(
    settings: Settings, method: str, path: str, body: dict[str, Any] | None = None, accept: tuple[int, ...] = ()
) -> dict[str, Any]:
    url = f"{settings.registry_url}/{path}"
    try:
        response = requests.request(method, url, json=body, headers=_HEADERS, timeout=_TIMEOUT)
    except requests.RequestException as error:
        raise TransientError(f"the schema registry did not answer {method} {url}: {error}") from error
    if response.status_code in accept or response.ok:
        answer: dict[str, Any] = response.json()
        return answer
    raise TransientError(f"the schema registry answered {response.status_code} to {method} {url}: {response.text}")
