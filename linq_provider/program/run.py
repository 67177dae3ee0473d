"""One run of a program: what it declares, and what is refused before the engine calls any provider."""

import gc
import re
import threading
import weakref
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

import pulumi

from linq_provider.errors import LinqError
from linq_provider.provider.run_log import RunLog

LOG_HELD = 60.0  # seconds
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class ProgramError(LinqError, pulumi.RunError):
    """The program declares something impossible; Pulumi prints the message without a traceback."""

    @classmethod
    def of(cls, error: LinqError) -> "ProgramError":
        """The same message, without a traceback."""
        return cls(error.message, next_step=error.next_step)


def refuse_import(resource_name: str, opts: pulumi.ResourceOptions | None) -> None:
    """Refuse `import_`, which cannot work, and say what to do instead."""
    if opts is not None and opts.import_ is not None:
        raise ProgramError(
            f"Remove import_ from '{resource_name}': Pulumi cannot import dynamic resources.",
            next_step="Only declare it: adoption is automatic. A line that already holds the declared number is"
            " adopted without a write.",
        )


def refuse_plaintext_key() -> None:
    """Refuse a key that would be stored in plaintext in the state."""
    if pulumi.Config("linq").get("apiKey") and not pulumi.runtime.is_config_secret("linq:apiKey"):
        raise ProgramError(
            "linq:apiKey is set without --secret, so the key would be stored in plaintext in the state.",
            next_step="Run `pulumi config set --secret linq:apiKey` and enter it again; then replace the key at"
            " Linq, because the old one is in the stack's settings file.",
        )


def when_known(value: Any, act: Callable[[Any], Any]) -> Any:
    """The result of `act` for a value: at once if it is plain, else an Output of it."""
    if value is None:
        return None
    if isawaitable(value) or isinstance(value, pulumi.Output):
        return pulumi.Output.from_input(value).apply(act)
    return act(value)


class _Run:
    """The declarations of one run of a program."""

    def __init__(self) -> None:
        self.resources: weakref.WeakValueDictionary[str, pulumi.Resource] = weakref.WeakValueDictionary()
        address = _engine_address()
        self.log = RunLog(address) if address else None
        if self.log is not None:
            # By then the run's providers keep the log open. A service that runs many programs must not keep it open
            # longer, because a later run may get the same address.
            leave = threading.Timer(LOG_HELD, self.log.close)
            leave.daemon = True
            leave.start()


# Two runs in one process (Automation API, unit tests) must not share declarations. Each run has its own monitor, while
# `set_mocks` keeps the root resource of an earlier test, and inline runs before pulumi 3.272 share the RPC manager.
_runs: weakref.WeakKeyDictionary[Any, _Run] = weakref.WeakKeyDictionary()


def declare_once(
    resource: pulumi.Resource, resource_name: str, opts: pulumi.ResourceOptions | None, lines: Mapping[Any, Any]
) -> None:
    """Refuse a second declaration of a line in one run, naming both resources; a line that is an Output is ignored.

    The run's providers receive the lines and their numbers, so that the order of their checks does not matter.

    Raises:
        ProgramError: another resource declares one of the lines.
    """
    run = _run()
    resource._linq_name = resource_name  # type: ignore[attr-defined]
    resource._linq_parent = opts.parent if opts is not None else None  # type: ignore[attr-defined]
    plain = {line.lower(): number for line, number in lines.items() if isinstance(line, str)}
    for line in plain:
        if line in run.resources:
            gc.collect()  # in unit tests, resources of an earlier test may still be waiting for collection
        earlier = run.resources.get(line, resource)
        if earlier is not resource and not _is_same(earlier, resource):
            first, second = _names(earlier, resource)
            raise ProgramError(
                f"'{first}' and '{second}' declare the same line.",
                next_step="Keep only one of them: otherwise either number could be used.",
            )
        run.resources[line] = resource
    if run.log is not None and plain:
        numbers = [number if isinstance(number, str) else None for number in plain.values()]
        run.log.append(["plan", list(plain), numbers])


def _is_same(earlier: Any, resource: Any) -> bool:
    """Whether another unit test declared the same resource; within one run the engine refuses that."""
    same_name = (type(earlier), earlier._linq_name) == (type(resource), resource._linq_name)
    return same_name and earlier._linq_parent is resource._linq_parent


def _names(one: Any, other: Any) -> tuple[str, str]:
    """What to call two resources: their names or, if those are equal, their paths."""
    if one._linq_name != other._linq_name:
        return one._linq_name, other._linq_name
    return _path(one), _path(other)


def _path(resource: Any) -> str:
    """The names from the outermost component to the resource, like berlin/desk/line."""
    names, parent = [resource._linq_name], resource._linq_parent
    while parent is not None:
        names.append(parent._name)
        parent = _parent_of(parent)
    return "/".join(reversed(names))


def _parent_of(resource: pulumi.Resource) -> pulumi.Resource | None:
    """The parent of a component, which only knows its children."""
    resources = (each for each in gc.get_objects() if issubclass(type(each), pulumi.Resource))
    return next((each for each in resources if resource in getattr(each, "_childResources", ())), None)


def _run() -> _Run:
    key = pulumi.runtime.settings.get_monitor() or pulumi.runtime.settings._get_rpc_manager()
    if key not in _runs:
        _runs[key] = _Run()
    return _runs[key]


def _engine_address() -> str | None:
    """The engine's address, which identifies the run for all of its processes; None without an engine.

    The SDK does not offer it to programs, so it is read from the SDK's connection to the engine.
    """
    target = getattr(getattr(pulumi.runtime.settings.get_engine(), "Log", None), "_target", None)
    return target.decode() if isinstance(target, bytes) else None
