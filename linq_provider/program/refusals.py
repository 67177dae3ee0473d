"""What is refused while the program runs, before the engine asks any provider."""

import gc
import weakref
from collections.abc import Iterable
from typing import Any

import pulumi

from linq_provider.errors import LinqError

# Two runs in one process (Automation API, unit tests) must not see one another: the monitor is a run's own, while
# `set_mocks` keeps the root resource of an earlier test, and inline runs before pulumi 3.272 share the RPC manager.
_declared: weakref.WeakKeyDictionary[Any, weakref.WeakValueDictionary[str, pulumi.Resource]]
_declared = weakref.WeakKeyDictionary()


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
    """Refuse a key that would stand in plaintext in the state."""
    if pulumi.Config("linq").get("apiKey") and not pulumi.runtime.is_config_secret("linq:apiKey"):
        raise ProgramError(
            "linq:apiKey is set without --secret, so the key would stand in plaintext in the state.",
            next_step="Run `pulumi config set --secret linq:apiKey` and enter it again; then replace the key at"
            " Linq, for the old one stands in the stack's settings file.",
        )


def declare_once(
    resource: pulumi.Resource, resource_name: str, opts: pulumi.ResourceOptions | None, lines: Iterable[Any]
) -> None:
    """Refuse a second declaration of one line in one run, naming both resources; what is not plain text is left out."""
    run = pulumi.runtime.settings.get_monitor() or pulumi.runtime.settings._get_rpc_manager()
    declared = _declared.setdefault(run, weakref.WeakValueDictionary())
    parent = opts.parent if opts is not None else None
    within = (getattr(parent, "_type", None), getattr(parent, "_name", None))
    resource._linq_declared_as = (type(resource), within, resource_name)  # type: ignore[attr-defined]
    for line in (line.lower() for line in lines if isinstance(line, str)):
        if line in declared:
            gc.collect()  # without a stack, resources of an earlier test may only wait for collection
        earlier: Any = declared.get(line, resource)
        # The same name again is the program of another unit test; in one run the engine refuses it.
        if earlier._linq_declared_as != resource._linq_declared_as:  # type: ignore[attr-defined]
            raise ProgramError(
                f"'{earlier._linq_declared_as[-1]}' and '{resource_name}' declare the same line.",
                next_step="Keep one of them: which one's number would win is not defined.",
            )
        declared[line] = resource
