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


def schema_ids(settings: Settings, source: Source) -> dict[int, int]:
    """Version to schema id, of everything that writers of the source's topic have registered."""
    subject = names.subject(source.topic.name)
    versions = _call(settings, "GET", f"subjects/{subject}/versions")
    return {int(v): int(_call(settings, "GET", f"subjects/{subject}/versions/{v}")["id"]) for v in versions}


def schemas(settings: Settings, source: Source) -> dict[int, str]:
    """Schema id, as a record in Confluent's wire format names it, to the text of the schema."""
    ids = set(schema_ids(settings, source).values())
    return {number: str(_call(settings, "GET", f"schemas/ids/{number}")["schema"]) for number in ids}


def _call(
    settings: Settings, method: str, path: str, body: dict[str, Any] | None = None, accept: tuple[int, ...] = ()
) -> Any:
    url = f"{settings.registry_url}/{path}"
    try:
        response = requests.request(method, url, json=body, headers=_HEADERS, timeout=_TIMEOUT)
    except requests.RequestException as error:
        raise TransientError(f"the schema registry did not answer {method} {url}: {error}") from error
    if response.status_code in accept or response.ok:
        return response.json()
    raise TransientError(f"the schema registry answered {response.status_code} to {method} {url}: {response.text}")
