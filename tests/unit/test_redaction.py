"""Row 26, below the engine: what a server repeats of the key and of phone numbers is not passed on."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_provider.api.answers import Answer, Request, error_from
from linq_provider.config import Settings
from linq_provider.errors import PIECE, redacted

KEY, NUMBER = "lk-9f8e7d6c5b4a39281706", "+447700900987"
LETTERS = st.text("abcdefXYZ0123456789-_ ./", max_size=60)


@given(before=LETTERS, after=LETTERS, start=st.integers(0, 15), length=st.integers(PIECE, 23), upper=st.booleans())
def test_row_26_no_piece_of_a_secret_survives(before: str, after: str, start: int, length: int, upper: bool) -> None:
    """Whatever stands around it and however it is spelled: no 8 characters of a secret are left."""
    piece = KEY[start : start + length].upper() if upper else KEY[start : start + length]
    shown = redacted(before + piece + after, [KEY]).lower()
    assert not any(KEY[i : i + PIECE] in shown for i in range(len(KEY) - PIECE + 1))


@pytest.mark.parametrize(
    "written", [NUMBER, "447700900987", "+44 7700 900 987", "(0)7700-900.987", "07700900987", "+٤٤٧٧٠٠٩٠٠٩٨٧"]
)
def test_row_26_no_phone_number_survives(written: str) -> None:
    """A phone number is hidden however it is written, and nothing beside it."""
    assert redacted(f"Invalid forwarding_number: {written}, see /{written}/x", []) == (
        "Invalid forwarding_number: [hidden], see /[hidden]/x"
    )


@pytest.mark.parametrize(
    "text",
    [
        "12345678-1234-4a34-9b34-123456789012",
        "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81",
        "https://docs.linqapp.com/error/codes/3xxx/3006/",
        "Rate limit exceeded: 100 requests in 60 s",
        "at 2026-08-01T12:00:00Z",
    ],
)
def test_row_26_the_rest_is_left_as_it_is(text: str) -> None:
    """Trace ids, links, limits and times stay whole: support needs them."""
    assert redacted(text, [KEY, NUMBER, ""]) == text


@given(st.sampled_from(["code", "message", "doc_url", "trace_id"]))
def test_row_26_every_field_of_an_error(field: str) -> None:
    """Key, its base64 and the number that was sent are taken out of each field, and the status stays."""
    repeated = f"x{KEY} {base64.b64encode(KEY.encode()).decode()} x{NUMBER}"
    body = {"error": {field: repeated}, "success": False, "trace_id": repeated if field == "trace_id" else "t"}
    settings = Settings(api_key=KEY, api_key_source="linq:apiKey")
    sent = {"forwarding_number": NUMBER}
    answer = Answer(500, {}, json.dumps(body).encode())
    shown = str(error_from(answer, request=Request("PUT", "/v3/phone_numbers/x"), settings=settings, sent=sent))
    assert "HTTP 500" in shown
    assert "[hidden]" in shown
    for secret in (KEY, base64.b64encode(KEY.encode()).decode(), NUMBER):
        assert not any(secret[i : i + PIECE] in shown for i in range(len(secret) - PIECE + 1))


def test_row_26_a_piece_is_eight_characters() -> None:
    """The promise is that no 8 characters of a key are shown."""
    assert PIECE == 8
