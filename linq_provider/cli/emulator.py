"""`linq-provider emulator`: the local emulator of the API, until it is interrupted."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from linq_provider.emulator import Emulator


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; 0, the default, is a free one.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps lines and tokens between runs; created if missing.",
)
@click.option("--numbers", type=click.IntRange(0), default=3, show_default=True, help="Lines of a new account.")
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Each seed gives a different account, with its own numbers, ids and key.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME",
    help="Make requests fail with this, such as 429=1, 500 or hang; may be repeated.",
)
@click.option(
    "--fault-rate",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of requests that fail.",
)
@click.option(
    "--rate-limit",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Requests per second; more are answered with 429. Without it there is no limit.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME:PORT",
    help="Another address at which clients reach the emulator, such as a forwarded port; may be repeated.",
)
def emulator(*, faults: tuple[str, ...], fault_rate: float, hosts: tuple[str, ...], **account: Any) -> None:
    """Run a local emulator of Linq's API.

    It listens on 127.0.0.1 only and runs until SIGINT or SIGTERM.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            # A shell starts background jobs with SIGINT ignored, and Python does not change that.
            signal.signal(number, signal.default_int_handler)
        with _emulator(faults, fault_rate=fault_rate, hosts=hosts, **account) as running:
            click.echo(_greeting(running))
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        raise click.ClickException(f"the emulator cannot start: {error.strerror or error}.") from error
    except (ValueError, KeyError) as error:
        raise click.ClickException(f"{error.args[0]}.") from error


def _emulator(faults: tuple[str, ...], *, fault_rate: float, hosts: tuple[str, ...], **account: Any) -> Emulator:
    from linq_provider.emulator import Emulator, Fault

    parsed = [Fault.parse(name) for name in faults]
    emulator = Emulator(**account)
    if parsed:
        emulator.fail_randomly(fault_rate, parsed, seed=account["seed"])
    for host in hosts:
        emulator.allow_host(host)
    return emulator


def _greeting(running: Emulator) -> str:
    return "\n".join(
        (
            f"Base URL: {running.url}",
            f"API key:  {running.api_key}",
            f"To watch: {running.page_url}",
            "",
            "In the shell that uses it:",
            f"export LINQ_API_V3_BASE_URL={running.url}",
            f"export LINQ_API_V3_API_KEY={running.api_key}",
        )
    )
