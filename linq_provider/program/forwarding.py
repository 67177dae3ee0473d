"""One forwarding, and `linq.Provider` for another account."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi.dynamic

from linq_provider.config import EXPLICIT
from linq_provider.core.e164 import is_uuid
from linq_provider.dynamic import PhoneNumberForwardingProvider
from linq_provider.program.run import ProgramError, declare_once, refuse_import, refuse_plaintext_key, when_known


class PhoneNumberForwarding(pulumi.dynamic.Resource, module="linq", name="PhoneNumberForwarding"):
    """Where calls to one line are forwarded.

    Args:
        phone_number: the line, E.164 like "+12025551234"; or
        phone_number_id: the line, the UUID that `linq-provider numbers` shows. Exactly one of the two.
        forwarding_number: E.164, or "" to declare that the line is not forwarded.
        overwrite: replace a forwarding that somebody else set. Default: refuse.
        removed: what happens to the line when the resource is deleted: "clear" it (default), "keep" its forwarding, or
            "restore" what it forwarded to before this resource managed it. A change takes effect after the next `up`.
        opts: Pulumi's resource options. `import_` is refused: declaring a line adopts it.

    Outputs: `id` and `phone_number_id` (UUID, lower case), `phone_number`, `forwarding_number` ("" where calls are
    not forwarded), `replaced_number` (secret: what the line forwarded to before this resource managed it; recorded
    with `removed="restore"`, and when `overwrite` replaced a number).

    Raises:
        ProgramError: a line is declared twice, `import_` is used, or `linq:apiKey` is set without `--secret`.
    """

    if TYPE_CHECKING:  # at run time, Pulumi would evaluate these annotations again for each resource
        phone_number_id: pulumi.Output[str]
        phone_number: pulumi.Output[str]
        forwarding_number: pulumi.Output[str]
        replaced_number: pulumi.Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        forwarding_number: pulumi.Input[str],
        phone_number: pulumi.Input[str] | None = None,
        phone_number_id: pulumi.Input[str] | None = None,
        overwrite: pulumi.Input[bool] | None = False,
        removed: pulumi.Input[str] | None = "clear",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        refuse_import(resource_name, opts)
        refuse_plaintext_key()
        line = {"phone_number_id": phone_number_id, "phone_number": phone_number}
        is_declared = forwarding_number is not None or any(each is not None for each in line.values())
        if opts is not None and opts.id is not None and is_declared:
            raise ProgramError(
                f"'{resource_name}' has an id in its options, so Pulumi would only read it, and write nothing.",
                next_step="Remove the id to declare the line, or use PhoneNumberForwarding.get() to read it.",
            )

        def declared(name: Any) -> Any:
            declare_once(self, resource_name, opts, {name: forwarding_number})
            return name

        props: dict[str, Any] = {
            **{name: when_known(value, declared) for name, value in line.items()},
            "forwarding_number": forwarding_number,
            "replaced_number": None,
        }
        if overwrite is not False and overwrite is not None:
            props["overwrite"] = overwrite
        if removed != "clear" and removed is not None:
            props["removed"] = removed
        super().__init__(PhoneNumberForwardingProvider(), resource_name, props, opts)

    @classmethod
    def get(
        cls, resource_name: str, id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> PhoneNumberForwarding:
        """Read a line that is managed elsewhere, and never write to it.

        `id` is its phone_number_id, in capitals or lower case. The run fails if this key does not see the line.

        Raises:
            ProgramError: `id` is not a phone_number_id, `import_` is used, or `linq:apiKey` is set without `--secret`.
        """
        return cls(
            resource_name,
            forwarding_number=None,  # type: ignore[arg-type]
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=when_known(id, _phone_number_id))),
        )


def _phone_number_id(line: str) -> str:
    if not is_uuid(line):
        raise ProgramError(
            f"PhoneNumberForwarding.get() takes a phone_number_id, but {line!r} is not one.",
            next_step="Look the id up with linq.get_phone_number(...).id.",
        )
    return line.lower()


class Provider(pulumi.ProviderResource):
    """Another Linq account for some resources of a stack: `opts=ResourceOptions(provider=...)`.

    It takes no settings from the stack's configuration or the environment, not even `LINQ_API_KEY_OVERRIDE`: a key of
    one account must never be used with another.

    Args:
        api_key: the key of that account; stored as a secret.
        base_url: root of the API; `http://` for this machine only. Default: Linq's own.
        timeout: seconds for one call with all its retries, 5 to 600. Default: 120.
        max_retries: retries of one call, 0 to 100. Default: 7.
        max_concurrency: how many calls `PhoneNumberForwardings` makes at a time, 1 to 256. Default: 16.
        live_check: with False, preview only validates, and `up` still compares with the account. Default: True.
        allowed_forwardings: where calls may be forwarded: countries ("GB") and beginnings of numbers ("+4930"), or
            "*". LINQ_ALLOWED_FORWARDINGS restricts it further. Default: anywhere but premium rate.
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
        allowed_forwardings: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
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
            "linq:allowedForwardings": allowed_forwardings,
            EXPLICIT: resource_name,
        }
        props = {key: _setting(value) for key, value in settings.items() if value is not None}
        super().__init__("pulumi-python", resource_name, props, opts)


def _setting(value: Any) -> pulumi.Output[str]:
    return pulumi.Output.from_input(value).apply(lambda v: v if isinstance(v, str) else json.dumps(v))
