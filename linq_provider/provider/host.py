"""The process in which the Pulumi engine runs a dynamic provider, and what we change in it."""

import os
import sys
import threading
import traceback
from contextlib import suppress

from linq_provider.errors import MAX_MESSAGE, LinqError, plain


def install_hooks() -> None:
    """Make this process end with the engine, and print our errors as one paragraph.

    Does nothing if called again, or in any other process, such as a unit test.
    """
    host = sys.modules["__main__"]
    spec = getattr(host, "__spec__", None)
    if spec is None or spec.name != "pulumi.dynamic.__main__" or hasattr(host, "_linq_provider"):
        return
    host._linq_provider = True  # type: ignore[attr-defined]
    # pulumi 3.272 shows `traceback.format_exc()` to the user; up to 3.259 it showed the exception's text.
    host.traceback = _PlainTraceback  # type: ignore[attr-defined]
    threading.Thread(target=_end_with_engine, name="linq-end-with-engine", daemon=True).start()


def engine_address() -> str | None:
    """The engine's address, the same for all provider processes of a run; None if no engine started this one."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None or spec.name != "pulumi.dynamic.__main__":
        return None
    return next((argument for argument in sys.argv[1:] if ":" in argument), None)


def info_line(text: str) -> str:
    """The line of text that informs the user of something that is not an error."""
    return f"linq: {plain(text, limit=MAX_MESSAGE)}"


def print_info(text: str) -> None:
    """Inform the user of something that is not an error: Pulumi shows what this process prints on the stack.

    Never raises: characters that the encoding of stdout lacks are replaced, and a closed stdout is ignored.
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
    """Replaces the module `traceback` in the host: our own errors are one paragraph, others keep their traceback."""

    @staticmethod
    def format_exc() -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, LinqError) else traceback.format_exc()


def _end_with_engine() -> None:
    """Exit when the engine is gone. Only the end of stdin shows that: a killed engine sends no cancel.

    Uses `os.read` because the lock of `sys.stdin` would abort the interpreter at a normal shutdown.
    """
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        return
    os._exit(0)
