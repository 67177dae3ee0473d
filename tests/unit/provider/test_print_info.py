"""Printing a message for the user never stops the work."""

from __future__ import annotations

import io
import os

import pytest

from linq_provider.provider import host

LONG = "Line 1 in Zürich and 東京 " + "x" * 500


@pytest.mark.parametrize(
    ("encoding", "begins", "ends"),
    [
        ("utf-8", "linq: Line 1 in Zürich and 東京 xxx", "xxx…\n"),
        ("ascii", "linq: Line 1 in Z?rich and ?? xxx", "xxx...\n"),
        ("latin-1", "linq: Line 1 in Zürich and ?? xxx", "xxx...\n"),
        ("cp1252", "linq: Line 1 in Zürich and ?? xxx", "xxx...\n"),
        ("euc_jp", "linq: Line 1 in Zürich and 東京 xxx", "xxx…\n"),
    ],
)
def test_any_text_can_be_printed_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, begins: str, ends: str
) -> None:
    """What the encoding of stdout lacks is replaced, and a text that was cut still shows that."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    host.print_info(LONG)
    said = written.getvalue().decode(encoding)
    assert said.startswith(begins)
    assert said.endswith(ends)


def closed() -> io.TextIOWrapper:
    """A stdout that was closed."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream.close()
    return stream


def broken() -> io.TextIOWrapper:
    """A stdout that nothing reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", encoding="utf-8")


@pytest.mark.parametrize("stream", [closed, broken, lambda: None], ids=["closed", "broken", "none"])
def test_a_stdout_that_takes_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    """A line at Linq is not left half-written because a message about it cannot be shown."""
    stdout = stream()  # type: ignore[operator]
    monkeypatch.setattr("sys.stdout", stdout)
    host.print_info("Line 1 keeps its forwarding.")
    monkeypatch.undo()
    if stdout is not None and not stdout.closed:
        with pytest.raises(BrokenPipeError):  # what is still buffered
            stdout.close()
