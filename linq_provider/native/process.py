"""The process of the plugin, which serves the engine that started it, and ends with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

from linq_provider.native.servicer import Servicer
from linq_provider.provider import session
from linq_provider.provider.host import info_line

MOST_CALLS = 300  # at a time: linq:maxConcurrency is at most 256, and the engine makes other calls too
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
NEVER_IDLE = [("grpc.client_idle_timeout_ms", 2**31 - 1)]
LONGEST_NOTE = 5.0  # seconds


def main() -> None:
    """Serve until the engine ends this process or is gone."""
    # `runtime: python` puts a folder before the engine's address.
    address = next((argument for argument in sys.argv[1:] if ":" in argument and argument[0] not in "-/"), None)
    engine = grpc.insecure_channel(address, options=NEVER_IDLE) if address else None
    servicer = Servicer(address, lambda text: _note(engine, text))
    server = grpc.server(ThreadPoolExecutor(MOST_CALLS, "linq-plugin"), options=ANY_SIZE)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201  # the engine reads it
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C reaches this process too, but the engine decides when to give up the writes under way.
        signal.signal(number, lambda *_: over.set() if servicer.may_end else None)
    if engine is not None:
        _end_with(engine)
    over.wait()
    session.tell()
    os._exit(0)  # does not wait for threads that still wait for an answer


def _note(engine: grpc.Channel | None, text: str) -> None:
    """Inform the user of something that is not an error; what a plugin prints appears only in the engine's own log."""
    if engine is not None:
        with suppress(grpc.RpcError):
            request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=info_line(text))
            engine_pb2_grpc.EngineStub(engine).Log(request, timeout=LONGEST_NOTE)


def _end_with(engine: grpc.Channel) -> None:
    """Exit when the engine is gone: a killed engine sends no cancel, and a plugin's stdin says nothing about it."""
    was_ready = threading.Event()

    def changed(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            was_ready.set()
        elif was_ready.is_set():
            os._exit(0)

    engine.subscribe(changed, try_to_connect=True)
