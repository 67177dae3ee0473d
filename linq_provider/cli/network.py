"""Checks of the network between this machine and the API: proxy, certificates and addresses."""

import ipaddress
import os
import re
import socket
import ssl
from importlib.util import find_spec
from urllib.parse import urlsplit

from linq_provider.cli.output import Check, Mark
from linq_provider.errors import LinqError, plain

# Only a URL of this form is parsed: in any other, a part of the password could be mistaken for the host.
PROXY = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^@/?#\\\s]*@)?(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?/?",
    re.ASCII | re.IGNORECASE,
)
SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")  # those that urllib3 supports
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in the order in which requests looks at them


def way_to(base_url: str) -> str | Check:
    """Check certificates, proxy and addresses; return which host is connected to: the proxy, or the API itself."""
    from linq_provider.api.transport import proxy_of  # `requests` is slow to import

    if base_url.startswith("https:"):
        _check_certificates()
    host = urlsplit(base_url).hostname or ""
    proxy = proxy_of(base_url)
    if proxy is None:
        return _with_address(host, f"directly to {host}")
    proxy_host = _host_of(proxy)
    way = _with_address(proxy_host, f"through the proxy {proxy_host}")
    if entry := _entry_without_effect(host):
        finding = f"{way}; {entry} in NO_PROXY does not count, because requests compare it with {host}"
        return Check(
            "way to the API", Mark.WARNING, finding, f"Write {host} there, if it is to be reached without the proxy."
        )
    return way


def _with_address(host: str, way: str) -> str:
    try:
        socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        reason = plain(getattr(error, "strerror", None) or "it is not a host name")
        raise LinqError(
            f"{way}, which has no address: {reason}", next_step="Check the network, DNS, HTTPS_PROXY and linq:baseUrl."
        ) from None
    return way


def _host_of(proxy: str) -> str:
    """The host alone: user and password are not shown."""
    parts = PROXY.fullmatch(proxy)
    if parts is None:
        raise LinqError(
            "the URL of the proxy is malformed",
            next_step="Write HTTPS_PROXY as http://user:password@host:port, with %40 for an @ in the password and"
            " the like for other special characters.",
        )
    scheme = (parts["scheme"] or "http").lower()
    if scheme not in SCHEMES:
        raise LinqError(f"proxies of the kind {scheme} are not supported", next_step="Check HTTPS_PROXY.")
    if scheme.startswith("socks") and find_spec("socks") is None:
        raise LinqError(
            f"the proxy {parts['host']} speaks SOCKS, and PySocks is not installed",
            next_step="Run `pip install 'requests[socks]'` where linq-provider is installed.",
        )
    return parts["host"]


def _entry_without_effect(host: str) -> str | None:
    """An entry of NO_PROXY, with a port or a range of addresses, that is meant for this host but has no effect."""
    for entry in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").replace(" ", "").split(","):
        name, _, port = entry.partition(":")
        if port.isdigit() and f".{host}".endswith(f".{name.lstrip('.')}"):
            return entry
        if "/" in entry and _is_range(entry) and not re.fullmatch(r"[\d.]+", host):
            return entry
    return None


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _check_certificates() -> None:
    variable = next((name for name in BUNDLES if os.environ.get(name)), None)
    if variable is None:
        return
    file = os.environ[variable]
    reason = "cannot be read" if os.path.exists(file) else "does not exist"
    try:
        if os.path.isfile(file):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        if os.path.isfile(file) or os.path.isdir(file):
            return
    except ssl.SSLError:
        reason = "is not a PEM file of certificates"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise LinqError(
        f"{variable} names {plain(file)}, which {reason}",
        next_step=f"Set {variable} to the file of your certificate authorities, or unset it.",
    )
