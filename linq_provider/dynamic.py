"""The Pulumi skin: resources for programs, and the dynamic provider that the engine calls.

The import path of this module and the names of its provider classes stand in every state file: never change them.
"""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import pulumi
import pulumi.dynamic
from pulumi.output import Unknown as PulumiUnknown

from linq_provider import host
from linq_provider.config import EXPLICIT, Settings
from linq_provider.errors import LinqError

if TYPE_CHECKING:
    from linq_provider.lifecycle import ForwardingLifecycle, Inputs, Outputs

# Two runs in one process (Automation API, unit tests) must not see one another: the root resource is a run's own,
# and where there is none (`set_mocks`), the RPC manager is.
_declared: weakref.WeakKeyDictionary[Any, weakref.WeakValueDictionary[str, PhoneNumberForwarding]]
_declared = weakref.WeakKeyDictionary()


class ProgramError(LinqError, pulumi.RunError):
    """The program declares what cannot be; Pulumi prints the message without a traceback."""


class PhoneNumberForwardingProvider(pulumi.dynamic.ResourceProvider):
    """Translates between the engine's dictionaries and `lifecycle`.

    Pickled by reference and without any attribute: there is nothing in a state file but its name.
    """

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return PhoneNumberForwardingProvider, ()

    def configure(self, req: pulumi.dynamic.ConfigureRequest) -> None:
        """Runs once in the provider process; a setting that cannot be used is reported by the first verb."""
        host.settle_in()
        self._config = req.config

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> pulumi.dynamic.CheckResult:
        """The inputs to record, or every reason against them."""
        try:
            inputs, problems = self._lifecycle.check(_inputs(_olds), _inputs(news))
        except LinqError as error:
            return _refused(news, [str(error)])
        return _refused(_known(inputs), problems)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """Nothing, an update, or a replacement; the new line is taken before the old one is given up."""
        diff = self._lifecycle.diff(_outputs(_olds), _inputs(_news))
        if diff.replaces:
            return pulumi.dynamic.DiffResult(changes=True, replaces=list(diff.replaces))
        # None lets the engine find the changed inputs itself, which `replace_on_changes` needs.
        return pulumi.dynamic.DiffResult(changes=None if diff.changes else False)

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Forward the line; its id is the phone_number_id."""
        outputs = self._lifecycle.create(_inputs(props))
        return pulumi.dynamic.CreateResult(outputs.phone_number_id, _known(outputs))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.UpdateResult:
        """Forward the line to another number."""
        return pulumi.dynamic.UpdateResult(_known(self._lifecycle.update(_outputs(_olds), _inputs(_news))))

    def read(self, id_: str, props: dict[str, Any]) -> pulumi.dynamic.ReadResult:
        """The line as it is now, with the inputs that declare just that; an empty id where it is gone."""
        # Only create, update and refresh leave `declared_by`: without it this is `.get()`.
        olds = _outputs(props) if "declared_by" in props else None
        outputs = self._lifecycle.read(id_, olds)
        if outputs is None:
            return pulumi.dynamic.ReadResult("", {})
        inputs = _known(outputs.inputs) if olds else None
        return pulumi.dynamic.ReadResult(outputs.phone_number_id, _known(outputs), inputs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Clear the forwarding, unless the program still declares the line."""
        self._lifecycle.delete(_outputs(_props))

    @property
    def _lifecycle(self) -> ForwardingLifecycle:
        return _lifecycles.of(Settings.load(self._config))


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
        _refuse_import(resource_name, opts)
        _refuse_plaintext_key()
        for identity in (phone_number, phone_number_id):
            if isinstance(identity, str):
                _declare_once(self, resource_name, identity.lower())
        super().__init__(PhoneNumberForwardingProvider(), resource_name, props, opts)

    @classmethod
    def get(
        cls, resource_name: str, id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> PhoneNumberForwarding:
        """Read a line that is managed elsewhere; nothing is ever written to it.

        `id` is its phone_number_id. The run fails where this key does not see the line.
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
    one account must never be used with another. Units and defaults of the arguments are those of the settings.

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


class _Lifecycles:
    """One account and one memory of declarations for each set of settings, shared by all providers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Settings, ForwardingLifecycle] = {}

    def of(self, settings: Settings) -> ForwardingLifecycle:
        with self._lock:
            if settings not in self._of:
                self._of[settings] = _new_lifecycle(settings)
            return self._of[settings]


_lifecycles = _Lifecycles()


def _new_lifecycle(settings: Settings) -> ForwardingLifecycle:
    # Imported here, in the provider process: a program that only declares has no use for an HTTP client.
    from linq_provider.account import Account
    from linq_provider.client import LinqClient
    from linq_provider.declarations import Declarations
    from linq_provider.lifecycle import ForwardingLifecycle

    account = Account(LinqClient(settings))
    return ForwardingLifecycle(account, Declarations(), live_check=settings.live_check, notify=host.say)


def _inputs(props: Mapping[str, Any]) -> Inputs:
    from linq_provider.lifecycle import Inputs, Unknown

    def value(name: str) -> Any:
        given = props.get(name)
        return Unknown.UNKNOWN if isinstance(given, PulumiUnknown) else given

    return Inputs(**{name: value(name) for name in Inputs.__dataclass_fields__})


def _outputs(props: Mapping[str, Any]) -> Outputs:
    from linq_provider.lifecycle import Outputs

    kept: dict[str, Any] = {name: props.get(name) for name in Outputs.__dataclass_fields__}
    return Outputs(**kept)


def _known(record: Inputs | Outputs) -> dict[str, Any]:
    """As properties: without what is not declared, and Pulumi's own unknown for ours."""
    from linq_provider.lifecycle import Unknown

    unknown: Any = PulumiUnknown
    props = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {k: unknown() if isinstance(v, Unknown) else v for k, v in props.items() if v is not None}


def _refused(inputs: dict[str, Any], problems: list[str]) -> pulumi.dynamic.CheckResult:
    # Without a property name: the engine would print the property's value, secret or not (pulumi#19465).
    return pulumi.dynamic.CheckResult(inputs, [pulumi.dynamic.CheckFailure("", problem) for problem in problems])


def _refuse_import(resource_name: str, opts: pulumi.ResourceOptions | None) -> None:
    if opts is not None and opts.import_ is not None:
        raise ProgramError(
            f"Remove import_ from '{resource_name}': Pulumi cannot import dynamic resources.",
            next_step="Only declare it: adoption is automatic. A line that already holds the declared number is"
            " adopted without a write.",
        )


def _refuse_plaintext_key() -> None:
    if pulumi.Config("linq").get("apiKey") and not pulumi.runtime.is_config_secret("linq:apiKey"):
        raise ProgramError(
            "linq:apiKey is set without --secret, so the key would stand in plaintext in the state.",
            next_step="Run `pulumi config set --secret linq:apiKey` and enter it again; then replace the key at"
            " Linq, for the old one stands in the stack's settings file.",
        )


def _declare_once(resource: PhoneNumberForwarding, name: str, identity: str) -> None:
    """Refuse a second declaration of one line in one run, naming both."""
    run = pulumi.runtime.get_root_resource() or pulumi.runtime.settings._get_rpc_manager()
    lines = _declared.setdefault(run, weakref.WeakValueDictionary())
    if identity in lines:
        gc.collect()  # without a stack, resources of an earlier test may only wait for collection
    earlier = lines.setdefault(identity, resource)
    if earlier is not resource:
        _refuse_twice(earlier._name, name)


def _refuse_twice(earlier: str, later: str) -> NoReturn:
    raise ProgramError(
        f"'{earlier}' and '{later}' declare the same line.",
        next_step="Keep one of them: which one's number would win is not defined.",
    )


def _setting(value: Any) -> pulumi.Output[str]:
    return pulumi.Output.from_input(value).apply(lambda v: v if isinstance(v, str) else json.dumps(v))
