"""What programs use: one forwarding, and `linq.Provider`. What cannot be is refused when the program runs."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi.dynamic

from linq_provider.config import EXPLICIT
from linq_provider.dynamic import PhoneNumberForwardingProvider
from linq_provider.errors import LinqError

# Two runs in one process (Automation API, unit tests) must not see one another: the monitor is a run's own, while
# `set_mocks` keeps the root resource of an earlier test, and inline runs before pulumi 3.272 share the RPC manager.
_declared: weakref.WeakKeyDictionary[Any, weakref.WeakValueDictionary[str, pulumi.Resource]]
_declared = weakref.WeakKeyDictionary()


class ProgramError(LinqError, pulumi.RunError):
    """The program declares what cannot be; Pulumi prints the message without a traceback."""


class PhoneNumberForwarding(pulumi.dynamic.Resource, module="linq", name="PhoneNumberForwarding"):
    """Where calls to one line are forwarded.

    Args:
        phone_number: the line, E.164 like "+12025551234"; or
        phone_number_id: the line, the UUID that `linq-provider numbers` shows. Exactly one of the two.
        forwarding_number: E.164, or "" to declare that the line is not forwarded.
        overwrite: take over a line that somebody else points elsewhere. Default: refuse.
        opts: Pulumi's resource options. `import_` is refused: declaring a line adopts it.

    Outputs: `id` and `phone_number_id` (UUID, lower case), `phone_number`, `forwarding_number` ("" where calls are
    not forwarded). Deleting the resource clears the forwarding; `retain_on_delete=True` leaves it.

    Raises:
        ProgramError: one line declared twice, `import_`, or `linq:apiKey` set without `--secret`.
    """

    phone_number_id: pulumi.Output[str]
    phone_number: pulumi.Output[str]
    forwarding_number: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        forwarding_number: pulumi.Input[str],
        phone_number: pulumi.Input[str] | None = None,
        phone_number_id: pulumi.Input[str] | None = None,
        overwrite: pulumi.Input[bool] | None = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "phone_number_id": phone_number_id,
            "phone_number": phone_number,
            "forwarding_number": forwarding_number,
        }
        if overwrite is not False and overwrite is not None:
            props["overwrite"] = overwrite
        refuse_import(resource_name, opts)
        refuse_plaintext_key()
        declare_once(self, resource_name, opts, [line for line in (phone_number, phone_number_id) if line is not None])
        super().__init__(PhoneNumberForwardingProvider(), resource_name, props, opts)

    @classmethod
    def get(
        cls, resource_name: str, id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> PhoneNumberForwarding:
        """Read a line that is managed elsewhere; nothing is ever written to it.

        `id` is its phone_number_id. The run fails where this key does not see the line.

        Raises:
            ProgramError: `import_`, or `linq:apiKey` set without `--secret`.
        """
        missing: Any = None
        return cls(
            resource_name,
            forwarding_number=missing,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id)),
        )


class Provider(pulumi.ProviderResource):
    """Another Linq account for some resources of a stack: `opts=ResourceOptions(provider=...)`.

    Inherits nothing from the stack's configuration or the environment, `LINQ_API_KEY_OVERRIDE` included: a key of
    one account must never be used with another.

    Args:
        api_key: the key of that account; kept as a secret.
        base_url: root of the API; `http://` for this machine only. Default: Linq's own.
        timeout: seconds for one call with all its retries, 5 to 600. Default: 120.
        max_retries: retries of one call, 0 to 100. Default: 7.
        max_concurrency: calls under way at a time for `PhoneNumberForwardings`, 1 to 256. Default: 16.
        live_check: False: preview validates only; `up` compares with the account all the same. Default: True.
        opts: Pulumi's resource options.

    Raises:
        ProgramError: `api_key` is None or empty.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        api_key: pulumi.Input[str],
        base_url: pulumi.Input[str] | None = None,
        timeout: pulumi.Input[float] | None = None,
        max_retries: pulumi.Input[int] | None = None,
        max_concurrency: pulumi.Input[int] | None = None,
        live_check: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: Any = api_key
        if given is None or given == "":
            raise ProgramError(
                f'linq.Provider("{resource_name}") needs an api_key.',
                next_step="Give it one from a secret setting, such as config.require_secret(...).",
            )
        settings = {
            "linq:apiKey": pulumi.Output.secret(api_key),
            "linq:baseUrl": base_url,
            "linq:timeout": timeout,
            "linq:maxRetries": max_retries,
            "linq:maxConcurrency": max_concurrency,
            "linq:liveCheck": live_check,
            EXPLICIT: resource_name,
        }
        props = {key: _setting(value) for key, value in settings.items() if value is not None}
        super().__init__("pulumi-python", resource_name, props, opts)


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


def _setting(value: Any) -> pulumi.Output[str]:
    return pulumi.Output.from_input(value).apply(lambda v: v if isinstance(v, str) else json.dumps(v))
