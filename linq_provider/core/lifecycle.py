"""The life of one forwarding: check, diff, create, read, update, delete. Knows no Pulumi.

- A line exists before and after: create and update write its forwarding, delete clears it.
- Nothing that somebody else set is overwritten without `overwrite`; nothing that the program still declares
  is cleared.
- check, diff and read only ever read.
"""

from collections.abc import Callable
from dataclasses import replace

from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.destinations import UNRESTRICTED
from linq_provider.core.guards import refuse_loop, refuse_overwrite, refuse_two_names
from linq_provider.core.records import Diff, Inputs, MaybeText, Outputs, Unknown, outputs, validate
from linq_provider.errors import LinqError, NotFoundError, RefusedError
from linq_provider.phone_number import PhoneNumber

ADOPT = (
    "Declare the line with PhoneNumberForwarding instead: adoption is automatic, and writes nothing where the"
    " declared number is already set."
)


class ForwardingLifecycle:
    """The verbs, for all forwardings of one account in one provider process.

    `live_check` False makes check validate only. `notify` receives one line of text for the user. Without
    `destinations` calls may go anywhere but to premium rate.
    """

    def __init__(
        self,
        account: Account,
        declarations: Declarations,
        *,
        live_check: bool,
        notify: Callable[[str], None],
        destinations: DestinationGuard | None = None,
    ) -> None:
        self._account = account
        self._declarations = declarations
        self._destinations = destinations or DestinationGuard(UNRESTRICTED, notify=notify)
        self._live_check = live_check
        self._notify = notify

    def check(self, olds: Inputs, news: Inputs, *, changed: bool | None = None) -> tuple[Inputs, list[str]]:
        """The inputs to record, and everything that stands against them; `olds` is empty for a new resource.

        Unchanged inputs cost no request, unless they are part of something that `changed`. At preview this is what
        refuses a wrong key, an unknown line, and a line that somebody else points elsewhere.
        """
        if problems := validate(news) or self._destinations.problems(olds, news):
            return news, problems
        if isinstance(news.phone_number_id, str):
            news = replace(news, phone_number_id=news.phone_number_id.lower())
        if isinstance(news.identity, str):
            known = news.forwarding_number if isinstance(news.forwarding_number, str) else None
            self._declarations.declare(news.identity, known, keeps=olds.identity == news.identity)
        try:
            self._compare_with_account(olds, news, changed=olds != news if changed is None else changed)
        except LinqError as error:
            return news, [str(error)]
        return news, []

    def diff(self, olds: Outputs, news: Inputs) -> Diff:
        """Another line replaces the resource, another number updates it. No request."""
        if news.identity != getattr(olds, news.declared_by):
            return Diff(True, (news.declared_by,))
        cleared = self._declarations.cleared(olds.phone_number_id, olds.phone_number)
        changes = olds.inputs != news or cleared
        # Where refresh asks, nothing was checked, or it is an old self that is compared: that must not hold its line.
        if self._declarations.keeps(_text(news.identity)):
            if changes:
                self._declarations.change(olds.phone_number_id, olds.forwarding_number)
            else:
                self._declarations.mark_unchanged(olds.phone_number_id, olds.phone_number)
        return Diff(changes, cleared=cleared)

    def create(self, news: Inputs) -> Outputs:
        """Forward the line as declared; writes nothing where it already is.

        Raises:
            RefusedError: another resource holds the line, or somebody else points it elsewhere.
            LinqError: see `linq_provider.errors`.
        """
        line = self._account.require(_text(news.identity))
        return self._write(line, news, recorded=self._declarations.recorded(line.id, line.phone_number))

    def update(self, olds: Outputs, news: Inputs) -> Outputs:
        """Forward the line to the newly declared number, in one write.

        Raises:
            RefusedError: another resource took the line in this run, or it was changed outside Pulumi.
            LinqError: see `linq_provider.errors`.
        """
        line = self._account.require(olds.phone_number_id)
        return self._write(line, news, recorded=olds.forwarding_number)

    def read(self, olds: Outputs) -> Outputs | None:
        """The line as it is now, or None where it is gone.

        Raises:
            LinqError: the list could not be had; that never counts as gone.
        """
        line = self._account.find(olds.phone_number_id)
        if line is not None:
            return outputs(line, olds.declared_by, olds.overwrite)
        self._notify(
            f"Line {olds.phone_number_id} is no longer among the lines of this key and leaves the state; if it still"
            " exists under another key, it keeps its forwarding."
        )
        return None

    def get(self, phone_number_id: str) -> Outputs:
        """A line that is managed elsewhere, as it is now.

        Raises:
            RefusedError: the line is not there.
            LinqError: the list could not be had.
        """
        line = self._account.find(phone_number_id)
        if line is None:
            raise RefusedError(f"This key sees no line {phone_number_id}.", next_step=ADOPT)
        return outputs(line, "", None)

    def delete(self, olds: Outputs) -> None:
        """Clear the forwarding, unless another resource of the program declares the line.

        Raises:
            LinqError: see `linq_provider.errors`; a line that is not there counts as done.
        """
        with self._declarations.try_clear(olds.phone_number_id, olds.phone_number) as free:
            if free:
                self._clear(olds)
            else:
                self._notify(
                    f"Line {olds.phone_number_id} keeps its forwarding: another resource of this program declares it."
                )

    def _clear(self, olds: Outputs) -> None:
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

    def _compare_with_account(self, olds: Inputs, news: Inputs, *, changed: bool) -> None:
        """Compare a new or changed declaration with the account, as far as it is known.

        Raises:
            LinqError: what stands against the declaration.
        """
        identity, number = news.identity, news.forwarding_number
        if isinstance(identity, Unknown) or isinstance(number, Unknown):
            return
        if changed and self._live_check:
            line = self._account.require(_text(identity))
            same = isinstance(olds.identity, str) and self._account.known(olds.identity) == line
            recorded = (
                _text(olds.forwarding_number) if same else self._declarations.recorded(line.id, line.phone_number)
            )
            refuse_overwrite(line, _text(number), overwrite=bool(news.overwrite), recorded=recorded)
        refuse_two_names(self._account, self._declarations, _text(identity))
        refuse_loop(self._account, self._declarations, _text(identity), _text(number))

    def _write(self, line: PhoneNumber, news: Inputs, *, recorded: str | None) -> Outputs:
        """Take the line and make it hold the declared number."""
        with self._declarations.claim(line.id, line.phone_number):
            line = self._account.require(line.id)  # it may have been cleared until now
            if self._declarations.cleared(line.id, line.phone_number) and not line.forwarding_number:
                recorded = ""
            number = _text(news.forwarding_number)
            self._destinations.refuse(number, recorded=recorded)
            refuse_loop(self._account, self._declarations, line.id, number)
            refuse_overwrite(line, number, overwrite=bool(news.overwrite), recorded=recorded)
            if line.forwarding_number != number:
                replaced = line.forwarding_number
                line = self._account.set_forwarding_number(line, number)
                if replaced not in ("", recorded):
                    self._notify(f"Line {line.id} was forwarded to {replaced}, which was replaced (overwrite=True).")
        return outputs(line, news.declared_by, news.overwrite)


def _text(value: MaybeText) -> str:
    """A value that validation has shown to be known text."""
    if not isinstance(value, str):
        raise LinqError("An input that must be known by now is not.", next_step="Please report this.")
    return value
