"""The emulator used wrongly, or at the edge of what it can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from linq_provider.emulator import Emulator


def test_there_is_no_url_before_the_start() -> None:
    """An emulator that was never started says so, instead of naming port 0."""
    with pytest.raises(RuntimeError, match="before it was started"):
        _ = Emulator().url


def test_the_delay_is_what_was_set() -> None:
    """`delay` can be read back."""
    emulator = Emulator(delay=0.25)
    assert emulator.delay == 0.25
    emulator.delay = 0
    assert emulator.delay == 0


def test_an_unknown_token_cannot_be_revoked() -> None:
    """Revoking a token twice is a mistake of the test that does it."""
    emulator = Emulator()
    token = emulator.create_token()
    emulator.revoke_token(token)
    with pytest.raises(KeyError, match="no such token"):
        emulator.revoke_token(token)


def test_a_state_that_cannot_be_written_leaves_no_file_behind(tmp_path: Path) -> None:
    """Where the state file cannot be replaced, the half-done one, which holds tokens, is removed."""
    emulator = Emulator(state=tmp_path / "state.json")
    (tmp_path / "state.json").unlink(missing_ok=True)
    (tmp_path / "state.json").mkdir()
    with pytest.raises(OSError, match=r"state\.json"):
        emulator.create_token()
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
