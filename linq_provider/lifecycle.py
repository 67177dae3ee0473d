"""The life of one forwarding: check, diff, create, read, update, delete. Knows no Pulumi.

- A line exists before and after: create and update write its forwarding, delete clears it.
- Nothing that somebody else set is overwritten without `overwrite`; nothing that the program still declares
  is cleared.
- check, diff and read only ever read.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from linq_provider.account import Account
from linq_provider.answers import PhoneNumber
from linq_provider.declarations import Declarations
from linq_provider.e164 import e164_problem
from linq_provider.errors import LinqError, NotFoundError, RefusedError


class Unknown(enum.Enum):
    """A value that is not known before the run, at preview."""

    UNKNOWN = "unknown"


Text = str | Unknown | None
ADOPT = (
    "Declare the line with PhoneNumberForwarding instead: adoption is automatic, and writes nothing where the"
    " declared number is already set."
)


@dataclass(frozen=True)
class Inputs:
    """What the program declares; None for what it does not say. Exactly one of the first two."""

    phone_number_id: Text = None
    phone_number: Text = None
    forwarding_number: Text = None
    overwrite: bool | Unknown | None = None

    @property
    def identity(self) -> Text:
        """The line, as the program names it."""
        return self.phone_number if self.phone_number_id is None else self.phone_number_id

    @property
    def declared_by(self) -> str:
        """Which input names the line."""
        return "phone_number" if self.phone_number_id is None else "phone_number_id"


@dataclass(frozen=True)
class Outputs:
    """What the state records. `forwarding_number` is "" for not forwarded.

    `declared_by` and `overwrite` are kept because `read` is told outputs only, and has to return the inputs.
    """

    phone_number_id: str
    phone_number: str
    forwarding_number: str
    declared_by: str
    overwrite: bool | None = None

    @property
    def inputs(self) -> Inputs:
        """The inputs that lead to these outputs."""
        names = {self.declared_by: getattr(self, self.declared_by)}
        return Inputs(forwarding_number=self.forwarding_number, overwrite=self.overwrite, **names)


@dataclass(frozen=True)
class Diff:
    """`changes` in place, or a replacement because of the inputs named in `replaces`."""

    changes: bool
    replaces: tuple[str, ...] = ()


def outputs(line: PhoneNumber, declared_by: str, overwrite: bool | Unknown | None) -> Outputs:
    """The one mapping of a line as the API shows it to what the state records."""
    kept = overwrite if isinstance(overwrite, bool) else None
    return Outputs(line.id, line.phone_number, line.forwarding_number, declared_by, kept)


def validate(news: Inputs) -> list[str]:
    """Everything wrong with the declaration, told without repeating a number: it may be secret."""
    problems = []
    if (news.phone_number_id is None) == (news.phone_number is None):
        problems.append("declare the line by exactly one of phone_number and phone_number_id")
    if isinstance(news.phone_number_id, str) and not _is_uuid(news.phone_number_id):
        problems.append("phone_number_id is not a UUID: see `linq-provider numbers`")
    if isinstance(news.phone_number, str) and (problem := e164_problem(news.phone_number)):
        problems.append(f"phone_number {problem}")
    if news.forwarding_number is None:
        problems.append('forwarding_number is missing; write "" for not forwarded')
    number = news.forwarding_number
    if isinstance(number, str) and number and (problem := e164_problem(number)):
        problems.append(f"forwarding_number {problem}")
    return problems


class ForwardingLifecycle:
    """The verbs, for all forwardings of one account in one provider process.

    `live_check` False makes check validate only. `notify` receives one line of text for the user.
    """

    def __init__(
        self, account: Account, declarations: Declarations, *, live_check: bool, notify: Callable[[str], None]
    ) -> None:
        self._account = account
        self._declarations = declarations
        self._live_check = live_check
        self._notify = notify

    def check(self, olds: Inputs, news: Inputs) -> tuple[Inputs, list[str]]:
        """The inputs to record, and everything that stands against them; `olds` is empty for a new resource.

        Unchanged inputs cost no request. At preview this is what refuses a wrong key, an unknown line, and a
        line that somebody else points elsewhere.
        """
        if problems := validate(news):
            return news, problems
        if isinstance(news.phone_number_id, str):
            news = replace(news, phone_number_id=news.phone_number_id.lower())
        if isinstance(news.identity, str):
            known = news.forwarding_number if isinstance(news.forwarding_number, str) else None
            self._declarations.declare(news.identity, known)
        try:
            self._look(olds, news)
        except LinqError as error:
            return news, [str(error)]
        return news, []

    def diff(self, olds: Outputs, news: Inputs) -> Diff:
        """Another line replaces the resource, another number updates it. No request."""
        if news.identity != getattr(olds, news.declared_by):
            return Diff(True, (news.declared_by,))
        changes = olds.inputs != news
        # Where refresh asks, nothing was checked: a resource that the program no longer has must not hold its line.
        if self._declarations.declares(olds.phone_number_id, olds.phone_number):
            if changes:
                self._declarations.change(olds.phone_number_id, olds.forwarding_number)
            else:
                self._declarations.hold(olds.phone_number_id)
        return Diff(changes)

    def create(self, news: Inputs) -> Outputs:
        """Forward the line as declared; writes nothing where it already is.

        Raises:
            RefusedError: another resource holds the line, or somebody else points it elsewhere.
            LinqError: see `linq_provider.errors`.
        """
        line = self._account.require(_text(news.identity))
        self._declarations.refuse_second_holder(line.id)
        return self._settle(line, news, recorded=self._declarations.recorded(line.id))

    def update(self, olds: Outputs, news: Inputs) -> Outputs:
        """Forward the line to the newly declared number, in one write.

        Raises:
            RefusedError: another resource took the line in this run, or it was changed outside Pulumi.
            LinqError: see `linq_provider.errors`.
        """
        line = self._account.require(olds.phone_number_id)
        self._declarations.refuse_second_holder(line.id)
        return self._settle(line, news, recorded=olds.forwarding_number)

    def read(self, phone_number_id: str, olds: Outputs | None) -> Outputs | None:
        """The line as it is now, or None where it is gone; `olds` is None for `.get()`.

        Raises:
            RefusedError: `.get()` of a line that is not there.
            LinqError: the list could not be had; that never counts as gone.
        """
        line = self._account.find(phone_number_id)
        if line is not None:
            kept = olds or Outputs(line.id, line.phone_number, "", "")
            return outputs(line, kept.declared_by, kept.overwrite)
        if olds is None:
            raise RefusedError(f"This key sees no line {phone_number_id}.", next_step=ADOPT)
        self._notify(
            f"Line {phone_number_id} is no longer among the lines of this key and leaves the state; if it still"
            " exists under another key, it keeps its forwarding."
        )
        return None

    def delete(self, olds: Outputs) -> None:
        """Clear the forwarding, unless another resource of the program declares the line.

        Raises:
            LinqError: see `linq_provider.errors`; a line that is not there counts as done.
        """
        if self._declarations.declares(olds.phone_number_id, olds.phone_number):
            self._notify(
                f"Line {olds.phone_number_id} keeps its forwarding: another resource of this program declares it."
            )
            return
        line = self._account.find(olds.phone_number_id) or PhoneNumber(
            olds.phone_number_id, olds.phone_number, olds.forwarding_number
        )
        try:
            self._account.set_forwarding_number(line, "")
        except NotFoundError:
            self._notify(
                f"Line {line.id} is not there any more, so there was nothing to clear; if it still exists under"
                " another key, it keeps its forwarding."
            )
            return
        if line.forwarding_number not in ("", olds.forwarding_number):
            self._notify(
                f"Line {line.id} was cleared; it had been forwarded outside Pulumi to {line.forwarding_number}."
            )

    def _look(self, olds: Inputs, news: Inputs) -> None:
        """Compare a new or changed declaration with the account, as far as it is known.

        Raises:
            LinqError: what stands against the declaration.
        """
        identity, number = news.identity, news.forwarding_number
        if isinstance(identity, Unknown) or isinstance(number, Unknown):
            return
        changed = (olds.identity, olds.forwarding_number) != (identity, number)
        if changed and self._live_check:
            line = self._account.require(_text(identity))
            same = isinstance(olds.identity, str) and self._account.known(olds.identity) == line
            recorded = _text(olds.forwarding_number) if same else self._declarations.recorded(line.id)
            self._refuse_somebody_elses(line, news, recorded)
        self._refuse_loop(_text(identity), _text(number))

    def _settle(self, line: PhoneNumber, news: Inputs, *, recorded: str | None) -> Outputs:
        """Make the line hold the declared number and record that this resource holds it."""
        number = _text(news.forwarding_number)
        self._refuse_somebody_elses(line, news, recorded)
        if line.forwarding_number != number:
            replaced = line.forwarding_number
            line = self._account.set_forwarding_number(line, number)
            if replaced not in ("", recorded):
                self._notify(f"Line {line.id} was forwarded to {replaced}, which was replaced (overwrite=True).")
        self._declarations.hold(line.id)
        return outputs(line, news.declared_by, news.overwrite)

    def _refuse_somebody_elses(self, line: PhoneNumber, news: Inputs, recorded: str | None) -> None:
        live = line.forwarding_number
        if news.overwrite or live in (news.forwarding_number, recorded) or (recorded is None and not live):
            return
        if recorded is None:
            raise RefusedError(
                f"Line {line.id} already forwards to {live}, which is not the declared number.",
                next_step="Declare that number to adopt it as it is, or set overwrite=True to replace it.",
            )
        raise RefusedError(
            f"Line {line.id} was changed outside Pulumi to {live or 'not forwarded'}.",
            next_step="Run `pulumi refresh` to see it, or set overwrite=True to replace it.",
        )

    def _refuse_loop(self, identity: str, forwarding_number: str) -> None:
        """Follow the declared forwardings; a way back to the line itself would ring for ever."""
        start = self._phone_number(identity)
        step: str | None = forwarding_number
        seen: set[str] = set()
        while step and step not in seen:
            if step == start:
                raise RefusedError(
                    f"The line forwards to {'another declared line that forwards back' if seen else 'itself'}.",
                    next_step="Calls would go round and never ring: declare another forwarding_number.",
                )
            seen.add(step)
            line = self._account.known(step)
            step = self._declarations.forwarding_of(step, *([line.id] if line else []))

    def _phone_number(self, identity: str) -> str:
        line = self._account.known(identity)
        return line.phone_number if line else identity


def _is_uuid(text: str) -> bool:
    try:
        return text.isascii() and str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _text(value: Text) -> str:
    """A value that validation has shown to be known text."""
    if not isinstance(value, str):
        raise LinqError("An input that must be known by now is not.", next_step="Please report this.")
    return value
