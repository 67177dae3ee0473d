"""`make demo`, held open in the middle, as its reader sees it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

DEMO = Path(__file__).resolve().parents[2] / "tools" / "demo.py"


def test_the_demo_is_held_open_and_tells_its_whole_story() -> None:
    """With WATCH=1 its page answers before the last step; a signal goes on to the end, and a hand edit stops nothing."""
    with subprocess.Popen(
        [sys.executable, DEMO],
        env=os.environ | {"WATCH": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        told = ""
        for line in demo.stdout:
            told += line
            if address := re.search(r"  watch it at (http://127\.0\.0\.1:\d+/): change", line):
                page = address[1]
                with urllib.request.urlopen(page, timeout=5) as answer:
                    assert b"Linq emulator" in answer.read()
                edit = urllib.request.Request(
                    f"{page}emulator/forwarding",
                    b'{"line": "+12025550100", "forwarding_number": "+12025550000"}',
                    {"Content-Type": "application/json", "Origin": page.rstrip("/")},
                )
                urllib.request.urlopen(edit, timeout=5).close()
                demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0, told
    titles = re.findall(r"^== (.+)$", told, re.MULTILINE)
    assert len(titles) == 8, told
    assert titles[-2:] == ["Held open before the end, because of WATCH", "destroy clears the forwarding"]
    assert "Every step did what it says" in told.splitlines()[-1]
