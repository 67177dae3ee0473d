"""What `linq-provider doctor` finds on the way to the API: proxies, NO_PROXY and certificates."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from linq_provider.cli.network import way_to
from linq_provider.cli.output import Check, Mark, checked

API = "https://api.example/v3"  # is never resolved: the requests go through a proxy
BY_ADDRESS = "https://10.1.2.3/v3"
PROXY = "http://user:canary@127.0.0.1:3128"

Way = Callable[..., Check]


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Way:
    """The check with these variables and no others of its kind."""
    for name in list(os.environ):
        if name.upper().endswith(("_PROXY", "_CA_BUNDLE")):
            monkeypatch.delenv(name)

    def way(base_url: str = API, **variables: str) -> Check:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        check = checked("way to the API", way_to, base_url)
        assert "canary" not in check.finding + check.fix
        return check

    return way


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": PROXY},
        {"HTTPS_PROXY": "user:canary@127.0.0.1:3128"},
        {"HTTPS_PROXY": "127.0.0.1"},
        {"ALL_PROXY": f"{PROXY}/"},
        {"https_proxy": PROXY, "HTTPS_PROXY": "http://gateway.invalid"},
        {"HTTPS_PROXY": "http://us%40er:canary@127.0.0.1:3128"},
    ],
    ids=str,
)
def test_a_proxy_is_named_without_its_password(way: Way, variables: dict[str, str]) -> None:
    """Wherever it is set, the proxy that is used is named by its host alone."""
    assert way(**variables) == Check("way to the API", Mark.OK, "through the proxy 127.0.0.1")


@pytest.mark.parametrize(
    "proxy",
    [
        "http://[canary",
        "http://user:can/canary@127.0.0.1:3128",
        "http://canary:canary/x@127.0.0.1:3128",
        "http://user:can#canary@127.0.0.1:3128",
        "http://user:can?canary@127.0.0.1:3128",
        "http://user:can@canary@127.0.0.1:3128",
        "http://user:can\\canary@127.0.0.1:3128",
        "http://user:can canary@127.0.0.1:3128",
        "http:/user:canary@127.0.0.1:3128",
        "http://127.0.0.1:canary",
        "://user:canary@127.0.0.1",
        "http://user:canary@",
    ],
)
def test_a_malformed_proxy_is_not_repeated(way: Way, proxy: str) -> None:
    """Of a URL that cannot be taken apart for sure, no piece is shown."""
    check = way(HTTPS_PROXY=proxy)
    assert (check.mark, check.finding) == (Mark.FAILS, "the URL of the proxy is malformed")
    assert "%40" in check.fix


def test_a_proxy_of_an_unknown_kind(way: Way) -> None:
    """A scheme that urllib3 does not know is named."""
    check = way(HTTPS_PROXY="ftp://user:canary@127.0.0.1")
    assert (check.mark, check.finding) == (Mark.FAILS, "proxies of the kind ftp are not supported")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS4"])
def test_a_socks_proxy(way: Way, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """A SOCKS proxy without PySocks fails with the command that installs it."""
    monkeypatch.setitem(sys.modules, "socks", None)
    check = way(HTTPS_PROXY=f"{scheme}://user:canary@127.0.0.1:1080")
    assert (check.mark, check.finding) == (
        Mark.FAILS,
        "the proxy 127.0.0.1 speaks SOCKS, and PySocks is not installed",
    )
    assert "pip install 'requests[socks]'" in check.fix


def test_a_socks_proxy_with_pysocks(way: Way, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With PySocks it is a proxy like any other."""
    (tmp_path / "socks.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert way(HTTPS_PROXY="socks5h://127.0.0.1:1080").finding == "through the proxy 127.0.0.1"


@pytest.mark.parametrize(
    ("base_url", "no_proxy"),
    [
        (API, "api.example"),
        (API, "other.example, .example"),
        ("https://api.example:8443", "api.example:8443"),
        (BY_ADDRESS, "10.0.0.0/8"),
        (BY_ADDRESS, "10.1.2.3"),
        (API, "*"),
    ],
)
def test_what_no_proxy_takes_out(way: Way, base_url: str, no_proxy: str) -> None:
    """Names, ports and ranges of addresses count as they do for the requests themselves."""
    assert way(base_url, HTTPS_PROXY=PROXY, NO_PROXY=no_proxy).finding.startswith("directly to ")


@pytest.mark.parametrize(
    ("base_url", "no_proxy", "entry"),
    [
        (API, "api.example:443", "api.example:443"),
        (API, "other.example,.example:443", ".example:443"),
        (API, "10.0.0.0/8", "10.0.0.0/8"),
        (API, "fd00::/8", "fd00::/8"),
        (BY_ADDRESS, "10.1.2.3:443", "10.1.2.3:443"),
    ],
)
def test_what_no_proxy_only_seems_to_take_out(way: Way, base_url: str, no_proxy: str, entry: str) -> None:
    """An entry that looks as if it were meant for the API, and does not count, is a warning."""
    check = way(base_url, HTTPS_PROXY=PROXY, NO_PROXY=no_proxy)
    assert check.mark is Mark.WARNING
    assert check.finding.startswith(f"through the proxy 127.0.0.1; {entry} in NO_PROXY does not count")


@pytest.mark.parametrize("no_proxy", ["other.example:443", "10.9.9.9/x", "example.api:443", "http://user:canary@x:1"])
def test_what_no_proxy_does_not_mean(way: Way, no_proxy: str) -> None:
    """Any other entry is ignored."""
    assert way(HTTPS_PROXY=PROXY, NO_PROXY=no_proxy).mark is Mark.OK


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("missing.pem", "does not exist"),
        ("text.pem", "is not a PEM file of certificates"),
        ("empty.pem", "is not a PEM file of certificates"),
        ("/dev/null", "cannot be read"),
    ],
)
def test_certificates_that_cannot_be_used(way: Way, tmp_path: Path, variable: str, file: str, problem: str) -> None:
    """A file of certificates that is none is named with its variable, and so is one that is missing."""
    (tmp_path / "text.pem").write_text("-----BEGIN CERTIFICATE-----\nno certificate\n")
    (tmp_path / "empty.pem").touch()
    check = way(**{variable: str(tmp_path / file), "HTTPS_PROXY": PROXY})
    assert (check.mark, check.finding) == (Mark.FAILS, f"{variable} names {tmp_path / file}, which {problem}")
    assert variable in check.fix
    assert way("http://127.0.0.1:8099").mark is Mark.OK


def test_certificates_that_can_be_used(way: Way, tmp_path: Path) -> None:
    """A file of certificates and a folder of them are both accepted; the first variable wins, as for the requests."""
    bundle = requests.certs.where()
    assert way(REQUESTS_CA_BUNDLE=bundle, CURL_CA_BUNDLE="/missing", HTTPS_PROXY=PROXY).mark is Mark.OK
    assert way(REQUESTS_CA_BUNDLE=str(tmp_path), HTTPS_PROXY=PROXY).mark is Mark.OK
