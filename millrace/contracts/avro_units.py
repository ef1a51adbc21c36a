"""What a writer's schema means by its numbers: Avro reads them as they are, whatever either side takes them for."""

import json
from collections.abc import Iterator
from typing import Any

Named = dict[str, Any]
_INNER = {"array": "items", "map": "values"}


def other_units(writer: str, reader: str) -> str | None:
    """In words, the first field that the two schemas hold in other units: milliseconds for microseconds, say.

    A writer that says nothing of units means those of the reader. None where the two agree.
    """
    wrote, reads = json.loads(writer), json.loads(reader)
    return next(_differences(wrote, reads, "", (dict(_named(wrote)), dict(_named(reads)))), None)


def _named(part: Any) -> Iterator[tuple[str, Any]]:
    """Every type of a schema that has a name, wherever it is declared."""
    if isinstance(part, dict) and "name" in part and part.get("type") in ("record", "enum", "fixed"):
        yield part["name"], part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _named(inner)


def _differences(writer: Any, reader: Any, path: str, named: tuple[Named, Named]) -> Iterator[str]:
    wrote, reads = (_bare(kind, known) for kind, known in zip((writer, reader), named, strict=True))
    unit, expected = _unit(wrote), _unit(reads)
    if unit and expected and unit != expected:
        yield f"field '{path}' as {unit}, the contract has {expected}"
    if wrote.get("type") != reads.get("type"):
        return
    if "fields" in reads:
        theirs = {field["name"]: field["type"] for field in wrote["fields"]}
        for field in reads["fields"]:
            if field["name"] in theirs:
                yield from _differences(
                    theirs[field["name"]], field["type"], f"{path}.{field['name']}".strip("."), named
                )
    elif inner := _INNER.get(reads["type"]):
        yield from _differences(wrote[inner], reads[inner], f"{path}[]", named)


def _bare(kind: Any, named: Named) -> dict[str, Any]:
    """The type as an object, without null; one that is only named is looked up."""
    options = [one for one in kind if one != "null"] if isinstance(kind, list) else [kind]
    bare = options[0] if len(options) == 1 else "union"
    bare = named.get(bare, {"type": bare}) if isinstance(bare, str) else bare
    return _bare(bare["type"], named) if isinstance(bare["type"], dict) else bare


def _unit(kind: dict[str, Any]) -> str | None:
    """A local time has the numbers of one with a zone."""
    logical = str(kind.get("logicalType") or "").removeprefix("local-") or None
    return f"decimal of scale {kind.get('scale', 0)}" if logical == "decimal" else logical
