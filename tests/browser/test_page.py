"""The emulator's page in a real browser, at the width of a desktop and of a phone."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from linq_provider.emulator import Emulator

if TYPE_CHECKING:
    from conftest import Browser, Tab

LIST = "/api/partner/v3/phone_numbers"
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"
OFFICE, MOBILE = "+12025559999", "+12025558888"
FIRST_ROW = "#lines tr:first-child"


def call(emulator: Emulator, method: str = "GET", path: str = LIST, value: Any = None) -> int:
    """Status of one call to the API with its key."""
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=5)
    try:
        body = None if value is None else json.dumps(value)
        connection.request(method, path, body, {"Authorization": f"Bearer {emulator.api_key}"})
        return connection.getresponse().status
    finally:
        connection.close()


def forward(emulator: Emulator, number: str) -> int:
    """Status of pointing the first line at a number, through the API."""
    return call(emulator, "PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": number})


def shows(selector: str, text: str) -> str:
    """The expression: such an element can be seen and shows this text."""
    found = f"document.querySelector({json.dumps(selector)})"
    return f"({found}?.checkVisibility() && {found}.innerText.includes({json.dumps(text)}))"


def sees_whole_page(tab: Tab) -> bool:
    """Whether nothing is wider than the window, which would need scrolling sideways."""
    widest = (
        "Math.max(...[...document.querySelectorAll('body *:not(.unseen)')].map((e) => e.getBoundingClientRect().right))"
    )
    return bool(tab.run(f"document.documentElement.scrollWidth <= innerWidth && {widest} <= innerWidth"))


def test_lines_and_requests_appear_as_they_happen(tab: Tab, emulator: Emulator) -> None:
    """A write through the API shows without a reload: the line's new number, and the request at the top of the log."""
    tab.open(emulator.page_url)
    assert "No request yet" in tab.text("#log-card")
    assert "not forwarded" in tab.text(FIRST_ROW)
    assert call(emulator) == 200
    assert forward(emulator, OFFICE) == 200
    tab.until(shows("#log li:nth-child(2)", "GET"))
    newest = tab.text("#log li:first-child")
    assert all(part in newest for part in ("PUT", "200", "+12025550100", f"to {OFFICE}", f"{LIST}/{FIRST_ID}"))
    tab.until(shows(FIRST_ROW, OFFICE))
    assert tab.text("#line-counts") == "3 in all, 1 forwarded"
    assert tab.text("#request-count") == "2 since the start"
    assert sees_whole_page(tab)
    assert tab.complaints() == []
    assert tab.hosts() == {urlsplit(emulator.page_url).netloc}


def test_a_forwarding_is_changed_by_hand_with_the_keyboard(tab: Tab, emulator: Emulator) -> None:
    """Enter opens the field, typing and Enter save it, Escape leaves it; the focus stays at the line."""
    emulator.set_forwarding(FIRST_ID, OFFICE)
    tab.open(emulator.page_url)
    tab.run(f"document.querySelector('{FIRST_ROW} button').focus()")
    tab.press("Enter")
    assert tab.run("document.activeElement.value") == OFFICE
    assert sees_whole_page(tab)
    tab.type(MOBILE)
    tab.press("Enter")
    tab.until(shows("#edit-message", f"it forwards to {MOBILE}"))
    assert emulator.forwarding(FIRST_ID) == MOBILE
    assert tab.run("document.activeElement.getAttribute('aria-label')") == "Change where +12025550100 forwards"
    tab.press("Enter")
    tab.type("+12025550000")
    tab.press("Escape")
    assert tab.run("document.activeElement.textContent") == "Change"
    assert tab.text(f"{FIRST_ROW} td") == MOBILE
    assert emulator.forwarding(FIRST_ID) == MOBILE
    assert emulator.requests == []


def test_a_number_that_is_none_is_refused_beside_the_field(tab: Tab, emulator: Emulator) -> None:
    """A mistyped number keeps the field open and shows how to write it; an empty field clears the forwarding."""
    emulator.set_forwarding(FIRST_ID, OFFICE)
    tab.open(emulator.page_url)
    tab.click(f"{FIRST_ROW} button")
    tab.type("202 555")
    tab.click(f"{FIRST_ROW} button.primary")
    tab.until(shows("#edit-message.error", "write it as in +12025550123"))
    assert emulator.forwarding(FIRST_ID) == OFFICE
    tab.run("document.activeElement.select()")
    tab.run("document.activeElement.value = ''")
    tab.click(f"{FIRST_ROW} button.primary")
    tab.until(shows(FIRST_ROW, "not forwarded"))
    assert emulator.forwarding(FIRST_ID) == ""


def test_a_change_does_not_disturb_who_is_typing(tab: Tab, emulator: Emulator) -> None:
    """While a field is open, changes elsewhere show and what was typed stays."""
    tab.open(emulator.page_url)
    tab.click(f"{FIRST_ROW} button")
    tab.type("+1202")
    emulator.set_forwarding("+12025550101", MOBILE)
    forward(emulator, OFFICE)
    tab.until(shows("#lines tr:nth-child(2)", MOBILE))
    tab.until(shows("#log li", OFFICE))
    assert tab.run("document.activeElement.value") == "+1202"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_changed_lines_are_marked_for_a_moment(tab: Tab, emulator: Emulator, motion: str) -> None:
    """Only the changed line is marked, for two seconds; who wants no motion sees the mark without fading."""
    tab.prefer(reduced_motion=motion)
    tab.open(emulator.page_url)
    assert tab.run("document.querySelectorAll('.changed').length") == 0
    emulator.set_forwarding(FIRST_ID, OFFICE)
    tab.until(f"document.querySelector('{FIRST_ROW}.changed')")
    assert tab.run("document.querySelectorAll('.changed').length") == 1
    animation = tab.run(f"getComputedStyle(document.querySelector('{FIRST_ROW}')).animationName")
    assert animation == ("none" if motion == "reduce" else "flash")
    tab.until("!document.querySelector('.changed')")


def test_fault_buttons_break_the_api_and_clearing_heals_it(tab: Tab, emulator: Emulator) -> None:
    """A button with "every request" makes the API fail until the faults are cleared, and the page says so."""
    tab.open(emulator.page_url)
    tab.run("document.querySelector('#fault-times').value = ''")
    tab.click("[data-fault='500']")
    tab.until(shows("#active-faults", "500 every request, until cleared"))
    assert [call(emulator), forward(emulator, OFFICE)] == [500, 500]
    tab.until(shows("#log li .status.bad", "500"))
    tab.click("#clear-faults")
    tab.until(shows("#faults-note", "None active"))
    assert call(emulator) == 200
    assert sees_whole_page(tab)


def test_the_log_of_the_page_is_cleared_alone(tab: Tab, emulator: Emulator) -> None:
    """The button empties the page's log, numbers go on, and what tests count stays."""
    call(emulator)
    tab.open(emulator.page_url)
    tab.until(shows("#log li", "GET"))
    tab.click("#clear-log")
    tab.until(shows("#log-note", "No request yet"))
    assert len(emulator.requests) == 1
    forward(emulator, OFFICE)
    tab.until(shows("#log li:only-child", "PUT"))


def test_what_clients_send_is_shown_as_text(tab: Tab, emulator: Emulator) -> None:
    """Markup in a path, a body or a number is shown and never run."""
    markup = "<img src=x onerror=document.title='run'>"
    emulator.set_forwarding(FIRST_ID, markup)
    call(emulator, "PUT", f"{LIST}/<b>x</b>", {"x": markup})
    tab.open(emulator.page_url)
    tab.until(shows("#log li", "<b>x</b>"))
    assert markup in tab.text("#log li")
    assert markup in tab.text(FIRST_ROW)
    assert tab.run("document.querySelectorAll('img, b').length") == 0
    assert tab.run("document.title").startswith("Linq emulator")


def test_ten_thousand_lines_are_filtered(tab: Tab) -> None:
    """A large account shows 200 rows and says so; the filter finds the last line, and can be reset."""
    with Emulator(numbers=10_000) as emulator:
        tab.open(emulator.page_url)
        assert tab.run("document.querySelectorAll('#lines tr').length") == 200
        assert tab.text("#line-counts") == "10,000 in all, 0 forwarded"
        assert "The first 200 of 10,000" in tab.run("document.querySelector('#lines-note').textContent")
        tab.click("#filter")
        tab.type(emulator.phone_numbers[-1].phone_number)
        tab.until("document.querySelectorAll('#lines tr').length === 1")
        assert emulator.phone_numbers[-1].id in tab.run("document.querySelector('#lines').textContent")
        tab.type("x")
        tab.until(shows("#lines-note", "No line matches"))
        tab.run("document.querySelector('#filter').select()")
        tab.type("+12025550")
        tab.until("document.querySelectorAll('#lines tr').length === 200")
        assert tab.run("document.querySelector('#lines .number').textContent") == "+12025550100"


def test_the_page_says_when_the_emulator_is_gone(tab: Tab) -> None:
    """A stopped emulator shows as such; a new one at the same address is shown from its beginning."""
    with Emulator() as emulator:
        call(emulator)
        tab.open(emulator.page_url)
        tab.until(shows("#request-count", "1 since"))
        port = urlsplit(emulator.url).port or 0
    tab.until(shows("#connection", "does not answer"))
    with Emulator(numbers=1, port=port) as emulator:
        tab.until("document.querySelectorAll('#lines tr').length === 1")
        tab.until(shows("#log-note", "No request yet"))
        assert tab.text("#connection") == "Live"
        forward(emulator, OFFICE)
        tab.until(shows("#log li:only-child", OFFICE))


CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (colour) => { const [r, g, b] = rgb(colour).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (rgb(c)[3] === 255) return c; } return "white"; };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.disabled || e.closest("noscript") || !e.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(e.outerHTML);
  }
  return poor;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_reach_it(tab: Tab, emulator: Emulator, scheme: str) -> None:
    """In light and dark every text has a contrast of 4.5 or more, and every control has a name and a visible focus."""
    tab.prefer(color_scheme=scheme, reduced_motion="reduce")
    emulator.set_forwarding(FIRST_ID, OFFICE)
    for status in (200, 400):
        assert forward(emulator, OFFICE if status == 200 else "office") == status
    tab.open(emulator.page_url)
    tab.click("[data-fault='500']")
    tab.until(shows("#active-faults", "500"))
    call(emulator)
    tab.click("[data-fault='hang']")
    tab.until(shows("#log li .bad", "500"))
    tab.click(f"{FIRST_ROW} button")
    emulator.set_forwarding("+12025550101", MOBILE)
    tab.until("document.querySelector('#lines .changed')")
    dark = tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
    assert dark == (scheme == "dark")
    assert tab.run(CONTRAST) == []
    named = "e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length"
    assert tab.run(f"[...document.querySelectorAll('button, input, select')].every((e) => {named})")
    tab.run("document.activeElement.blur()")
    seen = set()
    for _ in range(12):
        tab.press("Tab")
        seen.add(tab.run("document.activeElement.outerHTML"))
        assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert len(seen) == 12


def test_screenshot(tab: Tab, emulator: Emulator, tmp_path: Path) -> None:
    """The page can be looked at: with SCREENSHOTS=folder the pictures of both widths, light and dark, stay there."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    forward(emulator, OFFICE)
    call(emulator)
    for scheme in ("light", "dark"):
        tab.prefer(color_scheme=scheme)
        tab.open(emulator.page_url)
        tab.until(shows("#log li:nth-child(2)", OFFICE))
        picture = folder / f"page-{tab.run('innerWidth')}-{scheme}.png"
        tab.screenshot(picture)
        assert picture.stat().st_size > 20_000


def test_another_website_cannot_use_the_page(browser: Browser, emulator: Emulator, tab: Tab) -> None:
    """In a real browser a page of another origin can neither read the state nor set a fault, with any kind of request."""
    with Emulator() as other:
        tab.open(other.page_url)
        tab.call("Page.setBypassCSP", enabled=True)
        tab.open(other.page_url)
        target = emulator.page_url
        tried = tab.run(
            f"""Promise.all([
              fetch("{target}emulator/state"),
              fetch("{target}emulator/fault", {{method: "POST", body: '{{"fault":"500"}}',
                headers: {{"Content-Type": "application/json"}}}}),
            ].map((answer) => answer.then((a) => a.text(), (error) => error.name)))"""
        )
        assert tried == ["TypeError", "TypeError"]
        tab.run(
            f"""fetch("{target}emulator/fault", {{method: "POST", mode: "no-cors", body: '{{"fault":"500"}}'}})
              .catch(() => 0).then(() => 1)"""
        )
    assert call(emulator) == 200


def test_a_name_that_is_rebound_to_this_machine_reaches_nothing(tab: Tab, emulator: Emulator) -> None:
    """A website whose name has the address 127.0.0.1 passes for the same origin, and gets 403 even with the key."""
    port = urlsplit(emulator.page_url).port
    tab.call("Page.navigate", url=f"http://rebound.example:{port}/")
    tab.until('location.host.startsWith("rebound") && document.readyState === "complete"')
    script = (
        f"(async () => {{ const headers = {{Authorization: 'Bearer {emulator.api_key}'}}; const seen = [];"
        f" for (const method of ['GET', 'PUT']) {{ const path = method === 'GET' ? '{LIST}' : '{LIST}/{FIRST_ID}';"
        f" const body = method === 'GET' ? undefined : JSON.stringify({{forwarding_number: '{OFFICE}'}});"
        " const answer = await fetch(path, {method, headers, body}); seen.push(answer.status, await answer.text()); }"
        " return JSON.stringify(seen); })()"
    )
    read, listed, written, changed = json.loads(tab.run(script))
    assert (read, written) == (403, 403)
    assert FIRST_ID not in listed + changed
    assert emulator.forwarding(FIRST_ID) == ""
    assert emulator.requests == []
