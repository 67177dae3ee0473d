"""The verbs that the engine calls: they translate between its messages and the lifecycles."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import wraps
from importlib import resources
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from linq_provider._version import __version__
from linq_provider.config import Settings
from linq_provider.core.account import find_line
from linq_provider.core.declarations import second_owner
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.records import Fleet, Unknown
from linq_provider.errors import ConfigurationError, FleetError, LinqError, RefusedError
from linq_provider.native.resources import KINDS, PhoneNumberForwardings, Props, in_new_form
from linq_provider.native.values import Change, changes, from_struct, to_struct
from linq_provider.phone_number import PhoneNumber
from linq_provider.provider import session
from linq_provider.provider.properties import DYNAMIC, secret

# The engine's name for the provider that the stack's own settings configure.
_OWN = re.compile(r".*::default(_\d+_\d+_\d+.*)?", re.DOTALL)


def _verb(method: Callable[..., Any]) -> Callable[..., Any]:
    """Report an error as one paragraph."""

    @wraps(method)
    def call(self: Servicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request)
        except _InPart as error:
            context.set_trailing_metadata((("grpc-status-details-bin", error.details.SerializeToString()),))
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except LinqError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Exception:
            context.abort(grpc.StatusCode.INTERNAL, f"Please report this:\n{traceback.format_exc()}")

    return call


class Servicer(ResourceProviderServicer):
    """One provider of one stack: the engine starts a process for each.

    `engine_address` identifies the run, and `notify` receives one line of text for the user.
    """

    def __init__(self, engine_address: str | None, notify: Callable[[str], None]) -> None:
        self._engine_address = engine_address
        self._notify = notify
        self._settings: Settings  # from Configure, which is called before every verb that needs them
        self._singles: threading.BoundedSemaphore
        self._declared: dict[str, str] = {}  # each line that was checked, and the resource that declares it
        self._writing = 0
        self._lock = threading.Lock()
        self._cancelled = False
        # Fleets that were checked. If one failed in part, only its outputs show what was written, and diff is the first
        # verb to get them; a refresh calls diff without check.
        self._to_compare: dict[str, Any] = {}

    @property
    def may_end(self) -> bool:
        """Whether the process may end now: no write is under way, or the engine has given them up."""
        return self._cancelled or not self._writing

    # The provider itself

    @_verb
    def GetPluginInfo(self, _request: Empty) -> plugin_pb2.PluginInfo:
        """The version of the plugin, which is that of the Python package."""
        return plugin_pb2.PluginInfo(version=__version__)

    @_verb
    def GetSchema(self, _request: pb.GetSchemaRequest) -> pb.GetSchemaResponse:
        """The schema that SDKs are generated from."""
        schema = resources.files("linq_provider.native").joinpath("schema.json").read_text(encoding="utf-8")
        return pb.GetSchemaResponse(schema=schema)

    @_verb
    def CheckConfig(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """The settings, or what is wrong with them. The key is always recorded as a secret."""
        news, problems = from_struct(request.news), []
        if Unknown.UNKNOWN not in news.values():
            try:
                _settings(news, request.urn)
            except ConfigurationError as error:
                problems.append(str(error))
        if "apiKey" in news:
            news["apiKey"] = secret(news["apiKey"])
        return pb.CheckResponse(inputs=to_struct(news), failures=_failures(problems))

    @_verb
    def DiffConfig(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Which settings differ. Never a replacement, which would clear the lines of the old account."""
        changed = changes(from_struct(request.olds), from_struct(request.news))
        return _diff(changed) if changed else pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)

    @_verb
    def Configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Use these settings."""
        self._settings = _settings(from_struct(request.args), request.urn)
        self._singles = threading.BoundedSemaphore(self._settings.max_concurrency)
        return pb.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Cancel(self, _request: Empty, _context: grpc.ServicerContext) -> Empty:
        """The user interrupts the run: calls that wait fail at once."""
        self._cancelled = True
        session.cancel()
        return Empty()

    @_verb
    def Invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse:
        """Look up lines."""
        args, list_lines = from_struct(request.args), self._session().account.lines
        if request.tok == "linq:index:getPhoneNumbers":
            found: dict[str, Any] = {"phoneNumbers": list(map(_shown, list_lines()))}
        elif request.tok == "linq:index:getPhoneNumber":
            found = _shown(find_line(str(args.get("line", "")), list_lines, asked="getPhoneNumber"))
        else:
            raise LinqError(f"There is no function {request.tok}.")
        return pb.InvokeResponse(**{"return": to_struct(found)})

    # The resources

    @_verb
    def Check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """The inputs, or everything that is wrong with them."""
        kind, olds, news = _kind(request), from_struct(request.olds), from_struct(request.news)
        lifecycle = self._lifecycle(kind)
        try:
            declared = kind.inputs(news)
            if olds and isinstance(kind, PhoneNumberForwardings):
                problems = lifecycle.declare(declared)
                self._to_compare[request.urn] = request.news
            else:
                _, problems = lifecycle.check(kind.inputs(olds), declared)
            problems = problems or self._declared_twice(request.urn, declared.lines)
        except LinqError as error:
            problems = [str(error)]
        return pb.CheckResponse(inputs=request.news, failures=_failures(problems))

    @_verb
    def Diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """No change, an update, or a replacement that forwards the new line before it gives up the old one."""
        kind, olds, inputs = _kind(request), from_struct(request.olds), from_struct(request.old_inputs)
        news = from_struct(request.news)
        _refuse_capitals(request.ignoreChanges, inputs)
        lifecycle, recorded, declared = self._lifecycle(kind), kind.outputs(olds, inputs), kind.inputs(news)
        if self._to_compare.get(request.urn) == request.news:
            lifecycle.refuse(recorded.inputs, declared)
        found = lifecycle.diff(recorded, declared)
        if not (found.changes or found.replaces or DYNAMIC in olds):
            return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)
        replacing = kind.identities if found.replaces else ()
        return _diff(changes(in_new_form(inputs), news, replacing=replacing))

    @_verb
    def Create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Forward what is declared."""
        kind, news = _kind(request), from_struct(request.properties)
        if request.preview:
            return pb.CreateResponse(properties=to_struct(kind.planned({}, news)))
        with self._writes(kind), _in_part(kind, Fleet(), news):
            outputs = self._lifecycle(kind, request.timeout).create(kind.inputs(news))
        return pb.CreateResponse(id=outputs.id, properties=to_struct(kind.properties(outputs, news)))

    @_verb
    def Update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Forward what changed."""
        kind, olds, news = _kind(request), from_struct(request.olds), from_struct(request.news)
        if request.preview:
            return pb.UpdateResponse(properties=to_struct(kind.planned(olds, news)))
        recorded, declared = kind.outputs(olds, from_struct(request.old_inputs)), kind.inputs(news)
        lifecycle = self._lifecycle(kind, request.timeout)
        if DYNAMIC in olds and not lifecycle.diff(recorded, declared).changes:
            return pb.UpdateResponse(properties=to_struct(kind.properties(recorded, news)))
        with self._writes(kind), _in_part(kind, recorded, news):
            outputs = lifecycle.update(recorded, declared)
        return pb.UpdateResponse(properties=to_struct(kind.properties(outputs, news)))

    @_verb
    def Read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """What is forwarded now, for a resource of the state or an import; without an id if the line is gone."""
        kind, props, inputs = _kind(request), from_struct(request.properties), from_struct(request.inputs)
        lifecycle, inputs = self._lifecycle(kind), in_new_form(inputs)
        if all(name in in_new_form(props) for name in kind.recorded):
            found = lifecycle.read(kind.outputs(props, inputs))
        elif props:
            raise RefusedError(
                f"The resource with the id {request.id} declares a forwarding, but its options contain an id, so"
                " Pulumi only reads it.",
                next_step="Remove id from its options: declaring a line adopts it. To read it, use get().",
            )
        else:
            found, inputs = lifecycle.find(request.id), {}
        if found is None:
            return pb.ReadResponse()
        outputs, declared = kind.properties(found, inputs), kind.declaring(found, inputs)
        return pb.ReadResponse(id=found.id, properties=to_struct(outputs), inputs=to_struct(declared))

    @_verb
    def Delete(self, request: pb.DeleteRequest) -> Empty:
        """Clear, keep or restore what is forwarded, unless the program still declares it."""
        kind = _kind(request)
        olds = kind.outputs(from_struct(request.properties), from_struct(request.old_inputs))
        with self._writes(kind):
            self._lifecycle(kind, request.timeout).delete(olds)
        return Empty()

    def _session(self, timeout: float = 0.0) -> session.Session:
        """The session of this provider; `timeout` (seconds) if the resource sets its own."""
        settings = replace(self._settings, timeout=timeout) if timeout else self._settings
        return session.session(settings, self._engine_address, self._notify, hears_program=False)

    def _lifecycle(self, kind: Any, timeout: float = 0.0) -> Any:
        return getattr(self._session(timeout), kind.lifecycle)

    def _declared_twice(self, urn: str, lines: Collection[str]) -> list[str]:
        """An error for each line that another resource of this provider declares."""
        with self._lock:
            owners = {line: self._declared.setdefault(line, urn) for line in lines}
        return [str(second_owner(line)) for line, owner in owners.items() if owner != urn]

    @contextmanager
    def _writes(self, kind: Any) -> Iterator[None]:
        """Count the writes under way; at most `linq:maxConcurrency` single lines at a time."""
        with self._lock:
            self._writing += 1
        try:
            with nullcontext() if isinstance(kind, PhoneNumberForwardings) else self._singles:  # a fleet limits its own
                yield
        finally:
            with self._lock:
                self._writing -= 1


class _InPart(Exception):
    """A fleet failed in part; the engine records what was written."""

    def __init__(self, error: FleetError, failed: pb.ErrorResourceInitFailed) -> None:
        super().__init__(str(error))
        packed = Packed()
        packed.Pack(failed)
        self.details = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])


@contextmanager
def _in_part(kind: Any, olds: Any, news: Props) -> Iterator[None]:
    """If a fleet fails in part, make the engine record its lines as they are now."""
    try:
        yield
    except FleetError as error:
        if not isinstance(kind, PhoneNumberForwardings) or error.forwardings == olds.lines:
            raise
        outputs = FleetLifecycle.recorded_in_part(olds, error)
        raise _InPart(
            error,
            pb.ErrorResourceInitFailed(
                id=outputs.id,
                properties=to_struct(kind.properties(outputs, news)),
                inputs=to_struct(kind.declaring(outputs, news)),
                reasons=[str(error)],
            ),
        ) from error


def _settings(args: Props, urn: str) -> Settings:
    """The settings of a provider; one that the program declares takes nothing from the environment."""
    is_own = not urn or _OWN.fullmatch(urn)
    return Settings.of_provider(args, provider=None if is_own else urn.rpartition("::")[2])


def _kind(request: Any) -> Any:
    token = request.type or request.urn.split("::")[2].rpartition("$")[2]
    if token not in KINDS:
        raise LinqError(f"There is no resource {token}.")
    return KINDS[token]


def _failures(problems: list[str]) -> list[pb.CheckFailure]:
    # Without a property name: the engine would print the property's value, secret or not (pulumi#19465).
    return [pb.CheckFailure(reason=problem) for problem in problems]


def _diff(changed: dict[str, Change]) -> pb.DiffResponse:
    """The answer if something changed."""
    return pb.DiffResponse(
        changes=pb.DiffResponse.DIFF_SOME,
        replaces=[path for path, change in changed.items() if Change.Kind.Name(change.kind).endswith("REPLACE")],
        diffs=sorted({re.split(r"[\[.]", path)[0] for path in changed}),
        detailedDiff=changed,
        hasDetailedDiff=bool(changed),
    )


def _refuse_capitals(paths: Any, inputs: Props) -> None:
    """Refuse a path of ignore_changes that the engine would not find, and would ignore.

    Raises:
        RefusedError: the path and the map write an id in different case.
    """
    names = inputs.get("forwardings")
    for path in paths:
        named = re.search(r"""\[["'](.+?)["']\]""", path)
        if named and isinstance(names, dict) and named[1] not in names and named[1].lower() in map(str.lower, names):
            raise RefusedError(
                f"ignore_changes and forwardings differ in upper and lower case for the line {named[1]}.",
                next_step="Write it in the same letters in both.",
            )


def _shown(line: PhoneNumber) -> dict[str, Any]:
    return {"id": line.id, "phoneNumber": line.phone_number, "forwardingNumber": line.forwarding_number}
