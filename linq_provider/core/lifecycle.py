"""The life of one forwarding: check, diff, create, read, update, delete. Independent of Pulumi.

- The line itself is never created or deleted: create and update write its forwarding, delete clears or restores it.
- A forwarding that somebody else set is not overwritten without `overwrite`, and not cleared. A line that the program
  still declares is not cleared.
- check, diff and read never write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from linq_provider.core.account import LOOK_UP, Account, NoLinesError
from linq_provider.core.declarations import Declarations, Owner
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.destinations import UNRESTRICTED
from linq_provider.core.guards import foreign_number, moved, not_ours, refuse_loop, refuse_overwrite, refuse_two_names
from linq_provider.core.records import (
    KEEP,
    RESTORE,
    Diff,
    Inputs,
    MaybeText,
    Outputs,
    Unknown,
    lower_id,
    outputs,
    validate,
)
from linq_provider.errors import LinqError, NotFoundError, RefusedError
from linq_provider.phone_number import PhoneNumber

OVERWRITE = "overwrite"  # a value of LINQ_ON_CONFLICT, which is this or KEEP
# What a delete adds if a rename, a move or `--replace` loses the earlier number of a line.
NOT_REMEMBERED = (
    "The earlier number of the line, which the old resource had recorded, is no longer in the state. Aliases on the new"
    " resource would have kept it."
)


class ForwardingLifecycle:
    """The verbs, for all forwardings of one account in one provider process.

    With `live_check` False, check only validates. `on_conflict` is the operator's decision for this run about lines
    that forward to a number that this stack did not set: `OVERWRITE`, `KEEP`, or "" to refuse. `notify` receives one
    line of text for the user. Without `destinations`, calls may go anywhere but to premium rate.
    """

    def __init__(
        self,
        account: Account,
        declarations: Declarations,
        *,
        live_check: bool,
        on_conflict: str = "",
        notify: Callable[[str], None],
        destinations: DestinationGuard | None = None,
    ) -> None:
        self._account = account
        self._declarations = declarations
        self._destinations = destinations or DestinationGuard(UNRESTRICTED, notify=notify)
        self._live_check = live_check
        self._on_conflict = on_conflict
        self._notify = notify

    def check(self, olds: Inputs, news: Inputs) -> tuple[Inputs, list[str]]:
        """The inputs to record, and everything that is wrong with them; `olds` is empty for a new resource.

        Unchanged inputs cost no request. At preview, this refuses a wrong key, an unknown line, and a line whose
        forwarding somebody else set.
        """
        news = replace(news, phone_number_id=lower_id(news.phone_number_id))
        problems = self.problems(olds, news)
        if not problems:
            try:
                self.declare(olds, news)
                self.compare_with_account(olds, news, changed=olds != news)
                if olds.identity not in (None, news.identity):
                    self.declare(olds, news)  # now it is known whether both names belong to the same line
            except LinqError as error:
                problems = [str(error)]
        if problems and isinstance(news.identity, str):
            self._declarations.fail(news.identity)
        return news, problems

    def problems(self, olds: Inputs, news: Inputs) -> list[str]:
        """What is wrong with a declaration, whatever the account holds."""
        return validate(news) or self._destinations.problems(olds, news)

    def declare(self, olds: Inputs, news: Inputs) -> None:
        """Remember what the program declares.

        Raises:
            RefusedError: another resource declares the line with another number.
        """
        if isinstance(news.identity, str):
            number = news.forwarding_number if isinstance(news.forwarding_number, str) else None
            line = self._account.known(news.identity)
            names = self._account.names_of(line) if line else (news.identity,)
            kept = [news.identity] if olds.identity in names else []
            self._declarations.declare({news.identity: number}, kept=kept)

    def compare_with_account(self, olds: Inputs, news: Inputs, *, changed: bool) -> None:
        """Compare a declaration with the account; if it did not change, without a request.

        Raises:
            LinqError: what is wrong with the declaration.
        """
        if isinstance(news.identity, Unknown) or isinstance(news.forwarding_number, Unknown):
            return
        identity, number = _text(news.identity), _text(news.forwarding_number)
        if changed and self._live_check:
            self._compare(olds, news, identity, number)
        refuse_two_names(self._account, self._declarations, identity)
        refuse_loop(self._account, self._declarations, identity, number)

    def diff(self, olds: Outputs, news: Inputs) -> Diff:
        """Another line replaces the resource, another number updates it.

        Makes no request, unless the last list shows the number as another line.

        Raises:
            RefusedError: the number belongs to another line now.
        """
        if not olds.declared_by:  # `.get()` reads it only
            return Diff(False)
        self._declarations.bequeath(olds.phone_number_id, olds.replaced_number)
        if news.identity != getattr(olds, news.declared_by):
            return Diff(True, (news.declared_by,))
        if news.phone_number:
            self._refuse_moved(olds)
        cleared = self._declarations.cleared(olds.phone_number_id)
        changes = olds.inputs != news or cleared
        # A refresh calls diff without check, or for the resource as it was before: neither may keep the line.
        if self._declarations.keeps(_text(news.identity)):
            if changes:
                self._declarations.change(olds.phone_number_id, olds.forwarding_number)
            else:
                self._declarations.mark_unchanged(olds.phone_number_id, olds.phone_number)
        return Diff(changes, cleared=cleared)

    def create(self, news: Inputs) -> Outputs:
        """Forward the line as declared; no write if it already forwards so.

        Raises:
            RefusedError: another resource has the line, or somebody else set its forwarding.
            LinqError: see `linq_provider.errors`.
        """
        with self._failing(_text(news.identity)):
            line = self._account.require(_text(news.identity))
            recorded = self._declarations.recorded(line.id, line.phone_number)
            if recorded is not None:
                line = self._confirmed(line, news, recorded)
            return self._write(
                line, news, recorded=recorded if line.forwarding_number else None, is_new=recorded is None
            )

    def update(self, olds: Outputs, news: Inputs) -> Outputs:
        """Forward the line to the newly declared number, in one write.

        Raises:
            RefusedError: another resource took the line in this run, or it was changed outside Pulumi.
            LinqError: see `linq_provider.errors`.
        """
        with self._failing(_text(news.identity)):
            recorded = PhoneNumber(olds.phone_number_id, olds.phone_number, olds.forwarding_number)
            line = self._confirmed(recorded, news, olds.forwarding_number)
            return self._write(line, news, recorded=olds.forwarding_number, replaced=olds.replaced_number)

    def read(self, olds: Outputs) -> Outputs | None:
        """The line as it is now, or None if it is gone; if the declared number has a new id, the line with that id.

        Raises:
            LinqError: the list could not be read; the line never counts as gone for that reason.
        """
        line = self._account.confirmed(
            olds.phone_number_id, lambda now: now is not None and now.forwarding_number == olds.forwarding_number
        )
        if line is None and olds.declared_by == "phone_number":
            line = self._account.confirmed(olds.phone_number, _is_there)
            if line is not None:
                self._notify(f"At Linq, {line.phone_number} now has the id {line.id}.")
        if line is not None:
            return outputs(line, olds.inputs, applied=olds.applied, replaced=olds.replaced_number)
        self._notify(
            f"Line {olds.phone_number_id} ({olds.phone_number}) is no longer among the lines of this key, and was taken"
            " out of the state; if it still exists under another key, it keeps its forwarding."
        )
        return None

    def get(self, phone_number_id: str) -> PhoneNumber | None:
        """A line that is managed elsewhere, as it is now; None if the key does not see it.

        Raises:
            LinqError: the list could not be read.
        """
        return self._account.confirmed(phone_number_id, _is_there)

    def find(self, identity: str) -> Outputs:
        """A line to import, by its id or its number, in the form that a resource records.

        Raises:
            RefusedError: the key does not see it.
            LinqError: the list could not be read.
        """
        line = self.get(lower_id(identity))
        if line is None:
            raise RefusedError(f"This key sees no line {identity}.", next_step=LOOK_UP)
        declared_by = "phone_number_id" if line.id == lower_id(identity) else "phone_number"
        return Outputs(line.id, line.phone_number, line.forwarding_number, declared_by)

    def delete(self, olds: Outputs, *, in_doubt: bool | None = None) -> None:
        """Clear, keep or restore the forwarding, as `removed` says.

        If another resource of the program declares the line, it is left to that resource, whatever `removed` says.
        `in_doubt`: the program may declare lines that are not known; None to find out now.

        Raises:
            RefusedError: the line forwards to a number that this stack did not set, or the resource that declares it
                now failed, or may have failed.
            LinqError: see `linq_provider.errors`; a missing line counts as done.
        """
        names = (olds.phone_number_id, olds.phone_number)
        if in_doubt is None:
            in_doubt = self._declarations.in_doubt
        if in_doubt and olds.removed != KEEP and self._declarations.owner(*names) is None:
            raise RefusedError(
                f"Line {olds.phone_number_id} ({olds.phone_number}) keeps its forwarding: a resource failed in this"
                " run, so it is not known whether the program still declares this line elsewhere."
                " The old resource stays in the state.",
                next_step="Fix the resource that failed, then run `pulumi up` again.",
            )
        left = self._declarations.left_with(*names)
        with self._failing(), self._declarations.try_clear(*names, left_with=olds.left_with) as owner:
            if owner is not None:
                self._hand_over(olds, owner)
            elif olds.removed == KEEP:
                self._notify(f'Line {olds.phone_number_id} ({olds.phone_number}) was left as it is (removed="keep").')
            else:
                self._give_up(olds, left)

    def _refuse_moved(self, olds: Outputs) -> None:
        def is_recorded(now: PhoneNumber | None) -> bool:
            return now is not None and now.id == olds.phone_number_id

        now = self._account.known(olds.phone_number)
        if now is None or is_recorded(now):
            return
        now = self._account.confirmed(olds.phone_number, is_recorded)
        if now is not None and not is_recorded(now):
            raise moved(now, declared_by="phone_number")

    def _compare(self, olds: Inputs, news: Inputs, identity: str, number: str) -> None:
        """Refuse at preview what create and update would refuse."""
        line = self._account.find(identity)
        known = isinstance(olds.identity, str) and (
            olds.identity == identity or self._account.known(olds.identity) == line
        )
        recorded = _text(olds.forwarding_number) if known else None
        if line is not None and not known:
            recorded = self._declarations.recorded(line.id, line.phone_number)
        if recorded is not None:
            line = self._account.confirmed(identity, lambda now: now is not None and _ours(now, number, recorded))
        if line is None:
            raise self._account.not_seen()
        if recorded and line.forwarding_number == "" != number and not self._may_overwrite(news):
            # Only the engine knows which it is: it calls create, which forwards the line, or update, which refuses.
            self._notify(
                f"Line {line.id} ({line.phone_number}) is no longer forwarded. If a replacement of its resource was"
                " interrupted, `pulumi up` forwards it again. If somebody else cleared it, `pulumi up` refuses to"
                " forward it."
            )
            return
        refuse_overwrite(line, number, overwrite=self._may_overwrite(news), recorded=recorded)

    def _confirmed(self, line: PhoneNumber, news: Inputs, recorded: str) -> PhoneNumber:
        """A line that is in the state, as it is now."""
        number = _text(news.forwarding_number)
        now = self._account.confirmed(line.id, lambda now: now is not None and _ours(now, number, recorded))
        if now is not None:
            return now
        other = self._account.confirmed(line.phone_number, _is_there)
        raise moved(other, declared_by=news.declared_by) if other else self._account.not_seen()

    def _write(
        self,
        line: PhoneNumber,
        news: Inputs,
        *,
        recorded: str | None,
        replaced: str | None = None,
        is_new: bool = False,
    ) -> Outputs:
        """Forward the line to the declared number, and record what it forwarded to before, if that may be needed.

        `replaced` is what the state already records of that; `is_new`: this stack had no resource for the line.
        """
        with self._declarations.claim(*self._account.names_of(line), declared_as=_text(news.identity)):
            number = _text(news.forwarding_number)
            self._destinations.refuse(number, recorded=recorded)
            line = self._account.find(line.id) or line  # this run may have cleared it meanwhile
            left = self._declarations.left_with(line.id)
            if left is not None:
                self._account.doubt(line)
                line = self._confirmed(line, news, left)
                recorded = left
            refuse_loop(self._account, self._declarations, line.id, number)
            refuse_overwrite(line, number, overwrite=self._may_overwrite(news), recorded=recorded)
            # The list may lag, so a write is skipped only if the state agrees with it or has no number.
            before = line.forwarding_number
            is_foreign = before not in ("", recorded, number)
            if before != number or recorded not in (None, number):
                line = self._account.set_forwarding_number(line, number)
                if is_foreign:
                    why = "overwrite=True" if news.overwrite else "LINQ_ON_CONFLICT=overwrite"
                    self._notify(
                        f"On line {line.id} ({line.phone_number}), the forwarding to {before} was replaced ({why})."
                    )
            if replaced is None:
                replaced = self._declarations.inherit(line.id, line.phone_number)
            if replaced is None and (is_foreign or (is_new and news.removed == RESTORE)):
                replaced = before
        return outputs(line, news, applied=number, replaced=replaced)

    def _give_up(self, olds: Outputs, left: str | None) -> None:
        """Clear the line, or restore the number that it had before this stack.

        `left`: the number with which another resource of the stack has given up the same line in this run.
        """
        number = olds.left_with
        line = self._line_to_give_up(olds, left)
        if line is None:
            return
        try:
            if not line.forwarding_number == number == olds.forwarding_number:
                self._account.set_forwarding_number(line, number)
            self._say_what_was_restored(olds)
        except NotFoundError:
            other = self._account.known(olds.phone_number)
            left = f" At Linq, {other.phone_number} now has the id {other.id}; it was not changed." if other else ""
            self._notify(
                f"Line {line.id} ({line.phone_number}) is no longer among the lines of this key, so there was nothing"
                f" to clear; if it still exists under another key, it keeps its forwarding.{left}"
            )

    def _say_what_was_restored(self, olds: Outputs) -> None:
        if olds.removed != RESTORE:
            return
        name = f"Line {olds.phone_number_id} ({olds.phone_number})"
        if olds.replaced_number is None:
            self._notify(
                f"{name} was cleared, not restored: the state does not record what it forwarded to before this resource"
                " managed it."
            )
        elif objection := self._destinations.objection(olds.replaced_number):
            self._notify(
                f"{name} forwards again as it did before this resource managed it, although the restored number"
                f" {objection}."
            )
        elif olds.replaced_number:
            self._notify(f"{name} forwards again as it did before this resource managed it.")

    def _line_to_give_up(self, olds: Outputs, left: str | None) -> PhoneNumber | None:
        """The line as it is now, or as in the state if it is missing; None if it must be left alone.

        Raises:
            RefusedError: it forwards to a number that this stack did not set.
        """

        def is_expected(now: PhoneNumber | None) -> bool:
            return now is not None and (self._is_ours(now, olds, olds.left_with) or now.forwarding_number == left)

        recorded = PhoneNumber(olds.phone_number_id, olds.phone_number, olds.forwarding_number)
        if left is not None:
            self._account.doubt(recorded)
        try:
            line = self._account.confirmed(olds.phone_number_id, is_expected)
        except NoLinesError:
            return recorded
        if line is None or self._is_ours(line, olds, olds.left_with):
            return line or recorded
        if line.forwarding_number == left:
            return None
        restore = bool(olds.left_with)
        if not self._on_conflict:
            raise foreign_number(line, restore=restore)
        done = "is restored" if restore else "is cleared"
        if self._on_conflict == KEEP:
            done = "keeps its forwarding" if line.forwarding_number else "stays not forwarded"
        self._notify(
            f"Line {line.id} ({line.phone_number}) {not_ours(line)}; it {done} (LINQ_ON_CONFLICT={self._on_conflict})."
        )
        return None if self._on_conflict == KEEP else line

    def _hand_over(self, olds: Outputs, owner: Owner) -> None:
        """Leave a line to the resource that declares it, with the declared number."""
        if owner.lost:
            raise RefusedError(
                f"Line {olds.phone_number_id} ({olds.phone_number}) is declared by another resource of this program,"
                " which failed in this run. So the line keeps its forwarding, and the resource that had it before stays"
                " in the state.",
                next_step="Fix the resource that failed, then run `pulumi up` again.",
            )
        if owner.pending:  # its write needs the recorded numbers
            self._declarations.change(olds.phone_number_id, olds.applied)
            self._declarations.bequeath(olds.phone_number_id, olds.replaced_number)
        line = None if owner.pending else self._account.find(olds.phone_number_id)
        is_lost = olds.replaced_number not in (None, olds.applied) and not (
            owner.pending or self._declarations.inherited(olds.phone_number_id, olds.phone_number)
        )
        lost = f" {NOT_REMEMBERED}" if is_lost else ""
        if line and owner.number not in (None, line.forwarding_number) and self._is_ours(line, olds, ""):
            self._account.set_forwarding_number(line, str(owner.number))
            self._notify(
                f"Line {olds.phone_number_id} ({olds.phone_number}) now forwards to the number that another"
                f" resource of this program declares for it.{lost}"
            )
        else:
            self._notify(
                f"Line {olds.phone_number_id} ({olds.phone_number}) keeps its forwarding: another resource of this"
                f" program declares it.{lost}"
            )

    def _is_ours(self, line: PhoneNumber, olds: Outputs, left_with: str) -> bool:
        """Whether this stack set the line's forwarding, or it is already `left_with`."""
        return line.forwarding_number in (left_with, olds.applied) or self._account.wrote(line)

    def _may_overwrite(self, news: Inputs) -> bool:
        return bool(news.overwrite) or self._on_conflict == OVERWRITE

    @contextmanager
    def _failing(self, *names: str) -> Iterator[None]:
        """Remember that a resource failed: another resource must not give up its line in this run.

        A failed delete may have stopped a replacement before its create, which is then never called.
        """
        try:
            yield
        except Exception:
            self._declarations.fail(*names)
            raise


def _is_there(line: PhoneNumber | None) -> bool:
    return line is not None


def _ours(line: PhoneNumber, declared: str, recorded: str) -> bool:
    return line.forwarding_number in (declared, recorded)


def _text(value: MaybeText) -> str:
    """A value that validation has shown to be known text."""
    if not isinstance(value, str):
        raise LinqError("An input that must be known by now is still unknown.", next_step="Please report this.")
    return value
