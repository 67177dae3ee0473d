"""The process in which the Pulumi engine runs a dynamic provider, and what we need of it."""

import os
import sys
import threading
import traceback
from contextlib import suppress

from linq_provider.errors import MAX_MESSAGE, LinqError, plain


def install_hooks() -> None:
    """Make this process a good host, once: it ends with the engine, and our errors print as one paragraph.

    Does nothing in any other process, such as a unit test.
    """
    host = sys.modules["__main__"]
    spec = getattr(host, "__spec__", None)
    if spec is None or spec.name != "pulumi.dynamic.__main__" or hasattr(host, "_linq_provider"):
        return
    host._linq_provider = True  # type: ignore[attr-defined]
    # pulumi 3.272 sends `traceback.format_exc()` to the user; up to 3.259 it was the exception's text.
    host.traceback = _PlainTraceback  # type: ignore[attr-defined]
    threading.Thread(target=_end_with_engine, name="linq-end-with-engine", daemon=True).start()


def engine_address() -> str | None:
    """The engine's address, the same for all provider processes of a run; None where no engine started this one."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None or spec.name != "pulumi.dynamic.__main__":
        return None
    return next((argument for argument in sys.argv[1:] if ":" in argument), None)


def info_line(text: str) -> str:
    """How the user sees something that is no error."""
    return f"linq: {plain(text, limit=MAX_MESSAGE)}"


def print_info(text: str) -> None:
    """Tell the user something that is no error: what this process prints appears as an info line on the stack.

    Never raises: what the encoding of stdout lacks is replaced, and a stdout that is gone takes nothing.
    """
    line = info_line(text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        line = line.replace("…", "...").encode(encoding, "replace").decode(encoding)
    with suppress(OSError, ValueError):
        print(line, flush=True)  # noqa: T201


class _PlainTraceback:
    """Replaces the module `traceback` in the host: our own errors are sentences, all others keep their traceback."""

    @staticmethod
    def format_exc() -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, LinqError) else traceback.format_exc()


def _end_with_engine() -> None:
    """Exit when the engine is gone, which only the end of stdin tells: a killed engine sends no cancel.

    `os.read` and not `sys.stdin`, whose lock would abort the interpreter at a normal shutdown.
    """
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        return
    os._exit(0)
