"""Reads a roster in YAML: one mapping of lines to numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from linq_provider.core.roster_file import Cell, Row, unreadable

_MAPPING = "a roster is one mapping of lines to numbers, like +12025550100: +12025559999"
_NULLS = ("", "~", "null", "Null", "NULL")  # https://yaml.org/type/null.html


def yaml_rows(text: str) -> Iterator[Row]:
    """Rows from the parser's events: nothing is nested or expanded, whatever the file contains."""
    import yaml  # a program without a roster does not need it

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = (e for e in yaml.parse(text, Loader=loader) if not isinstance(e, yaml.StreamStartEvent))
        if isinstance(next(events), yaml.StreamEndEvent):
            return
        root = next(events)
        if _is_null(root):
            return
        if not isinstance(_untagged(root), yaml.MappingStartEvent):
            raise unreadable(_at(root), _MAPPING)
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            yield Row(_scalar(key), _scalar(next(events)))
        next(events)  # the end of the document
        if not isinstance(after := next(events), yaml.StreamEndEvent):
            raise unreadable(_at(after), "a roster must be a single YAML document")
    except yaml.MarkedYAMLError as error:
        # The parser notices a key without a colon only in the next line.
        begun = error.context_mark if str(error.context).endswith("simple key") else None
        raise unreadable(_at(begun or error), "this is not YAML: " + re.sub(r"\d+", "…", str(error.problem))) from None
    except yaml.reader.ReaderError as error:
        if error.encoding == "unicode":  # PyYAML's own parser counts characters
            before = text[: error.position].split("\n")
        else:  # libyaml counts bytes
            before = text.encode()[: error.position].decode(errors="ignore").split("\n")
        raise unreadable(
            Cell(None, len(before), len(before[-1]) + 1), "YAML does not allow the character at this place: delete it"
        ) from None


def _scalar(event: Any) -> Cell:
    """The text as written, because YAML reads an unquoted +12025550100 as a whole number."""
    at = _at(_untagged(event))
    if not hasattr(event, "value"):
        raise unreadable(at, f"{_MAPPING}, without lists or levels")
    if event.end_mark.line > event.start_mark.line and event.style in ("'", '"'):
        raise unreadable(at, f"a quote seems to be missing: this text goes on to line {event.end_mark.line + 1}")
    return Cell(None if _is_null(event) else event.value, at.row, at.column)


def _untagged(event: Any) -> Any:
    if getattr(event, "anchor", None) or getattr(event, "tag", None):
        raise unreadable(_at(event), "a roster must not use anchors, aliases or tags: write out each number, in quotes")
    return event


def _is_null(event: Any) -> bool:
    return getattr(event, "value", None) in _NULLS and event.style not in ("'", '"')


def _at(marked: Any) -> Cell:
    """The place where an event begins, or where an error was found."""
    mark = getattr(marked, "start_mark", None) or getattr(marked, "problem_mark", marked)
    return Cell(None, mark.line + 1, mark.column + 1)
