"""Many lines at once: the fleet resource, and the component that reads its lines from a roster file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from inspect import isawaitable
from os import PathLike
from pathlib import Path
from typing import Any

import pulumi
import pulumi.dynamic
from pulumi.output import Unknown

from linq_provider.config import allowed_forwardings
from linq_provider.core.destinations import Destinations
from linq_provider.core.records import lower_id, lower_ids
from linq_provider.dynamic import PhoneNumberForwardingsProvider
from linq_provider.errors import ConfigurationError, RefusedError
from linq_provider.program.run import (
    UUID,
    ProgramError,
    declare_once,
    refuse_import,
    refuse_plaintext_key,
    when_known,
)


class ProgramRosterError(ProgramError, ConfigurationError):
    """A roster file cannot be used. Pulumi prints one line for each problem, without a traceback."""

    def __str__(self) -> str:
        return self.message


def load_roster(file: str | PathLike[str]) -> dict[str, str]:
    """Read a roster: each line of the account (E.164 or phone_number_id) and the number it forwards to.

    YAML (`.yaml`, `.yml`) is one mapping; `""` means not forwarded. CSV (`.csv`, as spreadsheets save it, in UTF-8 or
    UTF-16, with commas, semicolons or tabs) has a header with `forwarding_number` and one of `line`, `phone_number`,
    `phone_number_id`, in any case, with spaces or underscores. `none` means not forwarded, and a blank cell is
    refused. Other columns and blank rows are ignored. A phone_number_id is returned in lower case.

    Numbers that linq:allowedForwardings forbids are refused too. In a Pulumi program this function only warns of them,
    at preview; the resource refuses those that are new or changed.

    Raises:
        ConfigurationError: the file cannot be read, names no lines, or is wrong somewhere. The message gives the line
            and column (in CSV, the cell of the row) of each problem, and never a forwarding number.
    """
    return _load_roster(file, {"linq:allowedForwardings": pulumi.Config("linq").get("allowedForwardings")})


def _load_roster(file: str | PathLike[str], config: Mapping[str, str | None]) -> dict[str, str]:
    """Read a roster with the allowed forwardings of this configuration and of the environment."""
    from linq_provider.core import roster  # slow to import, and most programs have no roster

    path, run = Path(file), pulumi.runtime.settings.get_monitor()
    try:
        rows = roster.read_roster(path)
        # Only at preview: at `up` the resource refuses, and looking up all numbers takes time.
        if run is None or pulumi.runtime.is_dry_run():
            problems = roster.destination_problems(rows, Destinations(allowed_forwardings(config)))
            if problems and run is None:
                raise roster.RosterError(path, problems)
            if problems:
                pulumi.log.warn(
                    f"{roster.RosterError(path, problems)}\n"
                    "If one of these numbers is new or changed, the resource will refuse it."
                )
    except ConfigurationError as error:
        raise ProgramRosterError(str(error)) from None
    return roster.forwardings(rows)


class PhoneNumberForwardings(pulumi.dynamic.Resource, module="linq", name="PhoneNumberForwardings"):
    """Where calls to many lines are forwarded, as one resource: written concurrently, shown line by line.

    Args:
        forwardings: each line (E.164, or its phone_number_id) and the number it forwards to: E.164, or "" to declare
            that it is not forwarded. The values, or the whole map, may be Outputs; keys may not.
        overwrite: True, or a list of lines: replace forwardings that somebody else set. Default: refuse.
        removed: what happens to a line that is removed from the map: "clear" it (default), "keep" its forwarding, or
            "restore" what it forwarded to before this resource managed it. A delete does the same to all lines.
        allow_clearing: how many lines one update may clear. Without it, an update that clears more than 5 lines and
            more than 10 % is refused, so that no line is cleared if a roster is emptied by mistake.
        opts: Pulumi's resource options. `import_` is refused: declaring a line adopts it.

    Outputs: `forwardings`, what each line forwards to; `replaced_numbers` (secret: what lines forwarded to before this
    stack managed them; recorded with `removed="restore"`, and when `overwrite` replaced a number).

    Raises:
        TypeError: a key of the map is an Output.
        ProgramError: another resource declares a line, `import_` is used, or `linq:apiKey` is set without `--secret`.
    """

    forwardings: pulumi.Output[Mapping[str, str]]
    replaced_numbers: pulumi.Output[Mapping[str, str] | None]

    def __init__(
        self,
        resource_name: str,
        *,
        forwardings: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        overwrite: pulumi.Input[bool | Sequence[str]] | None = False,
        removed: pulumi.Input[str] | None = "clear",
        allow_clearing: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        refuse_import(resource_name, opts)
        refuse_plaintext_key()
        if opts is not None and opts.id is not None:
            raise ProgramError(
                f"'{resource_name}' cannot be read by an id: a fleet is not an object at Linq.",
                next_step="Look lines up with linq.get_phone_numbers(), or declare them: adoption is automatic.",
            )

        def declared(prepared: Any) -> Any:
            if isinstance(prepared, Mapping):
                declare_once(self, resource_name, opts, prepared)
            return prepared

        props = {
            "forwardings": when_known(_prepared(forwardings), declared),
            "overwrite": _lines_or_bool(overwrite),
            "removed": None if removed == "clear" else removed,
            "allow_clearing": allow_clearing,
        }
        given = {name: value for name, value in props.items() if value is not None} | {"replaced_numbers": None}
        super().__init__(PhoneNumberForwardingsProvider(), resource_name, given, _with_lower_case_ids(opts))


class ForwardingRoster(pulumi.ComponentResource):
    """Forwards the lines of a roster file: `load_roster` and `PhoneNumberForwardings` in one.

    Args:
        file: YAML or CSV, see `load_roster`. A relative path starts at the folder of the program.
        overwrite, removed, allow_clearing: as in `PhoneNumberForwardings`.

    Outputs: `forwardings`, what each line forwards to.

    Raises:
        ConfigurationError: see `load_roster`.
    """

    forwardings: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        resource_name: str,
        *,
        file: str | PathLike[str],
        overwrite: pulumi.Input[bool | Sequence[str]] | None = False,
        removed: pulumi.Input[str] | None = "clear",
        allow_clearing: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("linq:index:ForwardingRoster", resource_name, None, opts)
        # A linq.Provider has its own allowed forwardings, which are not known here.
        forwardings = _load_roster(file, {}) if "pulumi-python" in self._providers else load_roster(file)
        fleet = PhoneNumberForwardings(
            resource_name,
            forwardings=forwardings,
            overwrite=overwrite,
            removed=removed,
            allow_clearing=allow_clearing,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.forwardings = fleet.forwardings
        self.register_outputs({"forwardings": fleet.forwardings})


def _prepared(forwardings: Any) -> Any:
    """The map as it is passed to Pulumi.

    None becomes False: Pulumi drops None from a map, and the line would be cleared. Each phone_number_id becomes lower
    case, as the API writes it: Pulumi tracks which values are secret by the keys that the program gave.
    """
    if isawaitable(forwardings):
        return _later(forwardings, _prepared)
    if isinstance(forwardings, pulumi.Output):
        return forwardings.apply(_prepared)
    if not isinstance(forwardings, Mapping):
        return forwardings
    for line in forwardings:
        if isinstance(line, pulumi.Output):
            raise TypeError(
                "A key of forwardings is an Output, which cannot be a key: use the line's phone_number as text, or make"
                " the whole map an Output: forwardings=line.phone_number.apply(lambda number: {number: ...})."
            )
        if not isinstance(line, str):
            raise ProgramError(
                f"forwardings has the key {line!r}, which is not text.",
                next_step='Put it in quotes, with + and the country code: "+12025551234".',
            )
    try:
        return {line: _false_for_none(number) for line, number in lower_ids(forwardings).items()}
    except RefusedError as error:
        raise ProgramError.of(error) from None


def _with_lower_case_ids(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions | None:
    """The options, with each phone_number_id in `ignore_changes` in lower case, as in the map."""
    if opts is None or not isinstance(opts.ignore_changes, list):
        return opts
    opts = pulumi.ResourceOptions.merge(opts, None)
    opts.ignore_changes = [UUID.sub(lambda found: found[0].lower(), path) for path in opts.ignore_changes or ()]
    return opts


def _lines_or_bool(overwrite: Any) -> Any:
    if isawaitable(overwrite):
        return _later(overwrite, _lines_or_bool)
    if isinstance(overwrite, pulumi.Output):
        return overwrite.apply(_lines_or_bool)
    if isinstance(overwrite, Set | Sequence) and not isinstance(overwrite, str):
        lines = overwrite if isinstance(overwrite, Sequence) else sorted(overwrite, key=str)
        return [_lower(line) for line in lines]
    return None if overwrite is False else overwrite


def _lower(line: Any) -> Any:
    if isawaitable(line):
        return _later(line, _lower)
    if isinstance(line, pulumi.Output):
        return line.apply(_lower)
    return lower_id(line)


def _false_for_none(number: Any) -> Any:
    if isawaitable(number):
        return _later(number, _false_for_none)
    if isinstance(number, Mapping):
        raise ProgramError(
            "forwardings has a map in place of a number.",
            next_step='Write one number for each line, in quotes: "+12025551234".',
        )
    if isinstance(number, pulumi.Output):
        # A value that `up` does not know will never be known, because its resource failed; Pulumi would drop it.
        return number.apply(_false_for_none, run_with_unknowns=not pulumi.runtime.is_dry_run())
    return False if number is None or isinstance(number, Unknown) else number


def _later(value: Awaitable[Any], prepare: Callable[[Any], Any]) -> pulumi.Output[Any]:
    """An Output for a coroutine or future, both of which Pulumi accepts as inputs.

    It is prepared before Pulumi sees it, because Pulumi prints a traceback for a key that is not text.
    """

    async def prepared() -> Any:
        return prepare(await value)

    return pulumi.Output.from_input(prepared())
