"""Finds the line on which a key of a YAML or JSON file stands."""

from collections.abc import Sequence

import yaml


def line_of(text: str, loc: Sequence[int | str]) -> int:
    """The line (from 1) of the deepest part of `loc` that exists in `text`, a mapping or list in YAML or JSON."""
    try:
        node = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return 1
    line = 1
    for part in loc:
        found = _step(node, part)
        if found is None:
            return line
        line, node = found
    return line


def _step(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    """The line of the part, and what it holds."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None
