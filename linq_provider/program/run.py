"""One run of a program: what it declares, and what is refused before the engine asks any provider."""

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
    """The program declares what cannot be; Pulumi prints the message without a traceback."""

    @classmethod
    def of(cls, error: LinqError) -> "ProgramError":
        """The same message, without a traceback."""
        return cls(error.message, next_step=error.next_step)


def refuse_import(resource_name: str, opts: pulumi.ResourceOptions | None) -> None:
    """Refuse `import_`, which cannot work, and say what does."""
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
    """What `act` makes of a value: at once where it is plain, else as soon as the run knows it."""
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
            # By then the providers of the run hold its log. A service that runs many programs must not hold it longer,
            # because a later run may get the same address.
            leave = threading.Timer(LOG_HELD, self.log.close)
            leave.daemon = True
            leave.start()


# Two runs in one process (Automation API, unit tests) must not see one another: the monitor is a run's own, while
# `set_mocks` keeps the root resource of an earlier test, and inline runs before pulumi 3.272 share the RPC manager.
_runs: weakref.WeakKeyDictionary[Any, _Run] = weakref.WeakKeyDictionary()


def declare_once(
    resource: pulumi.Resource, resource_name: str, opts: pulumi.ResourceOptions | None, lines: Mapping[Any, Any]
) -> None:
    """Refuse a second declaration of one line in one run, naming both resources; what is not plain text is left out.

    The providers of the run are told of the lines and their numbers, so that the order of their checks is no matter.

    Raises:
        ProgramError: another resource declares one of the lines.
    """
    run = _run()
    resource._linq_name = resource_name  # type: ignore[attr-defined]
    resource._linq_parent = opts.parent if opts is not None else None  # type: ignore[attr-defined]
    plain = {line.lower(): number for line, number in lines.items() if isinstance(line, str)}
    for line in plain:
        if line in run.resources:
            gc.collect()  # without a stack, resources of an earlier test may only wait for collection
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
    """Whether it is the same resource of the program of another unit test; in one run the engine refuses it."""
    same_name = (type(earlier), earlier._linq_name) == (type(resource), resource._linq_name)
    return same_name and earlier._linq_parent is resource._linq_parent


def _names(one: Any, other: Any) -> tuple[str, str]:
    """What to call two resources: their names or, where those are the same, with the names of their parents."""
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
    """The parent of a component: a resource knows its children only."""
    resources = (each for each in gc.get_objects() if issubclass(type(each), pulumi.Resource))
    return next((each for each in resources if resource in getattr(each, "_childResources", ())), None)


def _run() -> _Run:
    key = pulumi.runtime.settings.get_monitor() or pulumi.runtime.settings._get_rpc_manager()
    if key not in _runs:
        _runs[key] = _Run()
    return _runs[key]


def _engine_address() -> str | None:
    """The engine's address, which names the run for all of its processes; None without an engine.

    The SDK does not tell it to programs, but its client of the engine knows where it is connected to.
    """
    target = getattr(getattr(pulumi.runtime.settings.get_engine(), "Log", None), "_target", None)
    return target.decode() if isinstance(target, bytes) else None
