"""The soak against lists that lag and lack lines, in its short form."""

from __future__ import annotations

import pytest
import soak_lists


def test_a_hundred_operations(capsys: pytest.CaptureFixture[str]) -> None:
    """Every declared line has its number, no other is changed, and none counts as gone."""
    assert soak_lists.main(100) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.startswith("100 operations in ")
