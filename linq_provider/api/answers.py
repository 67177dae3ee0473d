"""Reads Linq's JSON strictly: returns records if it is as documented, and raises a typed error if not."""

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from linq_provider.config import DEFAULT_SOURCE, Settings
from linq_provider.errors import (
    MAX_DETAIL,
    APIError,
    APIResponseValidationError,
    api_error_class,
    plain,
    redacted,
)
from linq_provider.phone_number import PhoneNumber, is_uuid

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.ASCII)  # `float` also reads "1_0", "inf" and "٣"


@dataclass(frozen=True)
class Request:
    """The request, and how many attempts were made so far."""

    method: str
    path: str
    attempts: int = 1


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `problem` says why its body is incomplete: too large, or in an unusable encoding."""

    status_code: int
    headers: Mapping[str, str] = field(repr=False)  # a server may repeat the key in headers and body
    body: bytes = field(repr=False)
    problem: str = ""


class _Malformed(ValueError):
    """The body is not as documented; `truncated`: its end seems to be missing."""

    def __init__(self, reason: str, *, truncated: bool = False) -> None:
        super().__init__(reason)
        self.truncated = truncated


def payload_from(body: bytes, request: Request) -> dict[str, Any]:
    """The JSON object of a successful answer.

    Raises:
        APIResponseValidationError: the body is not a JSON object, or contains `"success": false` or an error.
    """
    try:
        payload = _json_object(body)
    except _Malformed as error:
        invalid = invalid_answer(request, str(error), truncated=error.truncated)
    else:
        if payload.get("success", True) is True and not payload.get("error"):
            return payload
        invalid = invalid_answer(request, 'HTTP 200 with "success": false, or with an error')
    raise invalid  # here, without a cause: an error of `json` holds the answer, which may repeat the key


def phone_number_from(payload: Mapping[str, Any], request: Request) -> PhoneNumber:
    """One line from a JSON object; unknown fields are ignored.

    Raises:
        APIResponseValidationError: a documented field is missing, of another type, or has an impossible value.
    """
    identity, number = payload.get("id"), payload.get("phone_number")
    forwarding, line_type = payload.get("forwarding_number"), payload.get("line_type")
    if not (isinstance(identity, str) and identity and isinstance(number, str) and number):
        raise invalid_answer(request, "a line without id or phone_number")
    if "forwarding_number" not in payload or not isinstance(forwarding, str | None):
        raise invalid_answer(request, "a line without forwarding_number")
    if not is_uuid(identity):
        raise invalid_answer(request, "a line whose id is not a UUID")
    for name, text in (("phone_number", number), ("forwarding_number", forwarding or "")):
        if not _is_harmless(text):
            raise invalid_answer(request, f"line {identity}, whose {name} has characters that no phone number has")
    line_type = line_type if isinstance(line_type, str) and line_type and _is_harmless(line_type) else None
    return PhoneNumber(identity.lower(), number, forwarding or "", line_type)


def phone_numbers_from(payload: Mapping[str, Any], request: Request) -> list[PhoneNumber]:
    """All lines from the answer to the list call; a row without `forwarding_number` is not forwarded.

    Raises:
        APIResponseValidationError: the answer is not the documented list.
    """
    rows = payload.get("phone_numbers")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid_answer(request, "no list of phone_numbers")
    if rows and not any("forwarding_number" in row for row in rows):
        raise invalid_answer(request, "a list in which no line has a forwarding_number")
    lines = [phone_number_from({"forwarding_number": None, **row}, request) for row in rows]
    for line_id, count in Counter(line.id for line in lines).items():
        if count > 1:
            raise invalid_answer(request, f"line {line_id} twice")
    return lines


def _is_harmless(text: str) -> bool:
    """Whether text of the server can be printed as it is: no line breaks, terminal controls or Markdown code."""
    return text.isprintable() and "`" not in text


def error_from(
    answer: Answer, *, request: Request, settings: Settings, sent: Mapping[str, Any] | None = None
) -> APIError:
    """The exception for an unsuccessful answer, with its text but without the key and the values that were `sent`."""
    try:
        payload = _json_object(answer.body)
    except _Malformed:
        payload = {}
    error = payload.get("error")
    said: Mapping[str, Any] = error if isinstance(error, dict) else {}
    key = settings.api_key or ""
    secrets = (key, base64.b64encode(key.encode()).decode().rstrip("="), *(sent or {}).values())
    trace_id = redacted(_text(payload.get("trace_id")), secrets)
    return api_error_class(answer.status_code)(
        request.method,
        request.path,
        answer.status_code,
        code=redacted(_text(said.get("code")), secrets),
        detail=redacted(_text(said.get("message")) or _without_json(answer), secrets),
        doc_url=redacted(_text(said.get("doc_url")), secrets),
        trace_id=trace_id,
        retry_after=retry_after(answer.headers, said.get("retry_after")),
        should_retry={"true": True, "false": False}.get(answer.headers.get("x-should-retry", "").lower()),
        attempts=request.attempts,
        next_step=_next_step(request.method, answer.status_code, settings, traced=bool(trace_id)),
    )


def retry_after(headers: Mapping[str, str], from_body: object = None) -> float | None:
    """Seconds that the server asks to wait, or None.

    Read from `retry-after-ms`, else `Retry-After`, else `error.retry_after`, as Linq's own SDKs do.
    Anything but a finite number of seconds, at least 0, or an HTTP date is ignored. A date is compared with the date of
    the answer, if it has one.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    for value in (headers.get("retry-after"), from_body):
        seconds = _seconds(value)
        if seconds is None and isinstance(value, str):
            seconds = _until(value, headers.get("date"))
        if seconds is not None:
            return seconds
    return None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(http_date: str, answered_at: str | None) -> float | None:
    """Seconds from the date of the answer, else from now; the server's clock and ours may differ by hours."""
    moment = _moment(http_date)
    if moment is None:
        return None
    now = _moment(answered_at or "") or datetime.now(timezone.utc)
    return max(0.0, (moment - now).total_seconds())


def _moment(http_date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(http_date)
        # Converted to UTC, so that a date beyond the end of the calendar fails here and not in the comparison.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _json_object(body: bytes) -> dict[str, Any]:
    text = ""
    try:
        text = body.decode("utf-8-sig").strip()
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise _Malformed("no valid JSON", truncated=_is_cut(text, error)) from None
    except UnicodeDecodeError as error:
        raise _Malformed("no valid JSON", truncated=error.reason == "unexpected end of data") from None
    except _Malformed:
        raise
    except (ValueError, RecursionError):  # a number of thousands of digits; nesting of thousands of levels
        raise _Malformed("no valid JSON") from None
    if not isinstance(value, dict):
        raise _Malformed("JSON, but not an object")
    return value


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether `text` is the beginning of a JSON object, and not something else or wrong in the middle."""
    at_end = error.pos >= len(text) or not text.endswith("}") or error.msg.startswith("Unterminated")
    return at_end and text[:1] in ("", "{")


def _no_constant(name: str) -> float:
    raise _Malformed(f"{name}, which is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Malformed("JSON in which a key occurs twice")
    return value


def invalid_answer(request: Request, reason: str, *, truncated: bool = False) -> APIResponseValidationError:
    """The exception for a success that cannot be trusted."""
    error = APIResponseValidationError(
        request.method,
        request.path,
        200,
        detail=reason,
        attempts=request.attempts,
        next_step="This is not Linq's documented answer: check linq:baseUrl and any proxy on the way.",
    )
    error.truncated = truncated
    return error


def _text(value: object, *, limit: int = MAX_DETAIL) -> str:
    """Text of the server for a message: one line, without backticks, which would start or end code in Markdown."""
    return plain(str(value), limit=limit).replace("`", "'") if isinstance(value, str | int) else ""


def _without_json(answer: Answer) -> str:
    if 300 <= answer.status_code < 400:
        try:
            host = urlsplit(answer.headers.get("location", "")).hostname
        except ValueError:
            host = None
        return f"redirected to {_text(host or 'no host', limit=80)}, which is not followed"
    kind = answer.headers.get("content-type", "").split(";")[0]
    return f"an answer without Linq's error body ({_text(kind, limit=40) or 'no content type'})"


def _valid_key(source: str) -> str:
    """How to set a valid key in the place that this one came from; only a stack stores keys."""
    return {
        "linq:apiKey": "Set a valid one with `pulumi config set --secret linq:apiKey`. After a rotation of the key,"
        " `refresh`, `destroy` and `up --refresh` still use the key of the last `up`: run `pulumi up --refresh=false`,"
        " or set LINQ_API_KEY_OVERRIDE.",
        "LINQ_API_V3_API_KEY": "Set this variable to a valid key; `linq-provider doctor` tries it.",
        "LINQ_API_KEY_OVERRIDE": "Set this variable to a valid key, or unset it, so that the key of the stack or of the"
        " environment is used.",
    }.get(source, "Give a valid one.")


def _next_step(method: str, status_code: int, settings: Settings, *, traced: bool) -> str:
    if status_code == 401:
        key = f"The key came from {settings.api_key_source}. {_valid_key(settings.api_key_source)}"
        if settings.base_url_source == DEFAULT_SOURCE:
            return key
        host = urlsplit(settings.base_url).netloc  # not Linq's, which may be the mistake
        return f"{key} The key was sent to {host}, the address in {settings.base_url_source}."
    if 300 <= status_code < 400:
        return "Set linq:baseUrl to the final address."
    if method == "GET" and status_code in (400, 404, 422):
        return "Check linq:baseUrl: Linq's API does not send such an answer."
    refused = "Linq does not accept this: correct the forwarding_number that is declared for the line."
    again = "Run the command again. If it fails again, give the trace_id to Linq's support."
    return {
        400: refused,
        403: "Ask the owner of the Linq account for a key that may write this line.",
        404: "See which lines this key sees with `linq-provider numbers`.",
        422: refused,
        429: "Run the command again later.",
    }.get(status_code, again if traced else "Run the command again.")
