"""An HTTPS gateway in front of the emulator, which counts what reaches it."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

URL = "https://gateway.example/api/partner"


class Gateway:
    """https://gateway.example, reached through a proxy on this machine; passes every request on to `upstream`.

    `environment` makes a process find it and trust it. `connections` counts the tunnels that were asked for, `requests`
    what came through them.
    """

    def __init__(self, upstream: str, folder: Path) -> None:
        authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("gateway.example").configure_cert(tls)
        authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        self._server = _Server(upstream, tls)
        self.environment = {
            "HTTPS_PROXY": f"http://127.0.0.1:{self._server.server_port}",
            "NO_PROXY": "127.0.0.1,localhost",  # gRPC between the engine and its plugins
            "REQUESTS_CA_BUNDLE": str(folder / "authority.pem"),
        }

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def connections(self) -> int:
        """How many tunnels were asked for."""
        return self._server.connections

    @property
    def requests(self) -> list[str]:
        """The methods of the requests that came through."""
        return self._server.methods


class _Server(ThreadingHTTPServer):
    def __init__(self, upstream: str, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.tls = upstream, tls
        self.connections = 0
        self.methods: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        self.server.connections += 1
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile: Any = self.connection.makefile("wb", buffering=0)
        self.close_connection = False  # the request may have been one of HTTP/1.0

    def do_GET(self) -> None:
        self._pass_on(None)

    def do_PUT(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

    def _pass_on(self, body: bytes | None) -> None:
        self.server.methods.append(self.command)
        url = self.server.upstream + self.path.removeprefix("/api/partner")
        headers = {"Authorization": self.headers["Authorization"], "Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers, method=self.command)
        try:
            answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
