"""The life of many forwardings as one resource: reconcile what is declared with what is live. Independent of Pulumi.

Each line goes through the verbs of the single forwarding, so all of its rules apply here. A line that fails does not
stop the others; the error names it, and the next `pulumi up --refresh` writes only what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from linq_provider.core.account import Account, NoLinesError
from linq_provider.core.concurrency import run_in_turn
from linq_provider.core.declarations import Declarations
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.e164 import is_uuid
from linq_provider.core.guards import ON_CONFLICT, ON_CONFLICT_RESTORE, refuse_many_clears
from linq_provider.core.lifecycle import OVERWRITE, ForwardingLifecycle
from linq_provider.core.records import (
    KEEP,
    RESTORE,
    Diff,
    Fleet,
    Inputs,
    Outputs,
    Unknown,
    validate_fleet,
    validate_lines,
)
from linq_provider.errors import FleetError, LinqError, RefusedError, listed
from linq_provider.phone_number import PhoneNumber

WHOLE_ACCOUNT = "*"
SHOWN_LINES = 10  # how many lines one message names


class FleetLifecycle:
    """The verbs, for the fleets of one account in one provider process.

    `run` makes calls at the same time, see `run_concurrently`; the rest is as in `ForwardingLifecycle`.
    """

    def __init__(
        self,
        account: Account,
        declarations: Declarations,
        *,
        live_check: bool,
        run: Callable[[Mapping[str, Callable[[], object]]], dict[str, LinqError]],
        on_conflict: str = "",
        notify: Callable[[str], None],
        destinations: DestinationGuard | None = None,
    ) -> None:
        self._account = account
        self._declarations = declarations
        self._destinations = destinations
        self._live_check = live_check
        self._on_conflict = on_conflict
        self._run = run
        self._notify = notify

    def check(self, olds: Fleet, news: Fleet) -> tuple[Fleet, list[str]]:
        """The inputs to record, and everything that is wrong with them, line by line; `olds` is empty for a new fleet.

        Unchanged inputs cost no request.
        """
        if problems := validate_fleet(news):
            problems += validate_lines(news)
        else:
            try:
                problems = self._compare(olds, news)
            except LinqError as error:
                problems = [str(error), *validate_lines(news)]
        if problems:
            self._declarations.fail(*news.lines)
        return news, problems

    def declare(self, news: Fleet) -> list[str]:
        """The part of `check` without account and state: remember what is declared, and return all that is wrong."""
        problems = [*validate_fleet(news), *validate_lines(news)]
        if not problems:
            try:
                self._declarations.declare(_numbers(news))
            except LinqError as error:
                problems = [str(error)]
        return problems

    def refuse(self, olds: Fleet, news: Fleet) -> None:
        """Refuse a declaration if `check` finds anything wrong with it.

        Raises:
            FleetError: names each line that cannot be as declared.
        """
        _, problems = self.check(olds, news)
        if problems:
            reasons = [problem.partition(": ") for problem in problems]
            errors: dict[str, LinqError] = {line: RefusedError(why or line) for line, _, why in reasons}
            raise FleetError("The fleet cannot be set as it is declared", errors, next_step="Nothing was written.")

    def diff(self, olds: Fleet, news: Fleet) -> Diff:
        """Whether anything differs; other lines are an update, never a replacement. Makes no request."""
        for line, replaced in (olds.replaced_numbers or {}).items():
            self._declarations.bequeath(line, replaced)
        cleared = self._declarations.cleared(*news.lines)
        changes = olds.inputs != news or cleared
        # A refresh calls this without check: see ForwardingLifecycle.diff.
        with self._declarations.as_of_now():
            kept = [line for line in news.lines if self._has(olds, line) and self._declarations.keeps(line)]
        if not changes:
            self._declarations.mark_unchanged(*kept)
        for line in kept:
            recorded = self._declaration_before(olds, line).forwarding_number
            if recorded != news.lines[line] and isinstance(recorded, str):
                self._declarations.change(line, recorded)
        return Diff(changes, cleared=cleared)

    def create(self, news: Fleet) -> Fleet:
        """Forward every line as declared; no write for a line that already forwards so.

        Raises:
            FleetError: names each line that was refused or failed.
            LinqError: see `linq_provider.errors`.
        """
        return self._apply(Fleet(), news)

    def update(self, olds: Fleet, news: Fleet) -> Fleet:
        """Write what differs from the account; clear, keep or restore the lines that were removed.

        Raises:
            RefusedError: more lines would be cleared than `allow_clearing` allows; nothing was written.
            FleetError: names each line that was refused or failed.
            LinqError: see `linq_provider.errors`.
        """
        with self._failing(news):
            self._account.refresh()
            refuse_many_clears(self._account, self._declarations, olds, news)
        return self._apply(olds, news)

    def read(self, olds: Fleet) -> Fleet:
        """The lines as they are now; lines that this key no longer sees are left out and reported.

        Raises:
            LinqError: the list could not be read; lines never count as gone for that reason.
        """
        live = {line: self._account.confirmed(line, partial(_is_recorded, olds.lines[line])) for line in olds.lines}
        if gone := [line for line, now in live.items() if now is None]:
            self._notify(
                f"No longer among the lines of this key, and taken out of the state: {_listed(gone)}. If they still"
                " exist under another key, they keep their forwarding."
            )
        numbers = {line: now.forwarding_number for line, now in live.items() if now}
        applied = {line: olds.applied(line) for line, number in numbers.items() if olds.applied(line) != number}
        replaced = {line: number for line, number in (olds.replaced_numbers or {}).items() if line in numbers}
        return replace(olds, forwardings=numbers, applied_numbers=applied or None, replaced_numbers=replaced or None)

    def find(self, id_: str) -> Fleet:
        """Every line of the account, by its number, or by its id if two lines have the same number.

        Raises:
            RefusedError: the id is not `WHOLE_ACCOUNT`.
            LinqError: the list could not be read.
        """
        if id_ != WHOLE_ACCOUNT:
            raise RefusedError(
                f"A fleet cannot be read by the id {id_}.",
                next_step=f"Import it with the id '{WHOLE_ACCOUNT}': every line that the key sees.",
            )
        lines = self._account.lines()
        rows = Counter(line.phone_number for line in lines)
        return Fleet(
            {line.phone_number if rows[line.phone_number] == 1 else line.id: line.forwarding_number for line in lines}
        )

    def delete(self, olds: Fleet) -> None:
        """Clear every line that the program does not declare elsewhere, or restore or leave it as `removed` says.

        Raises:
            RefusedError: the program creates a fleet in this run, which allows fewer lines to be cleared.
            FleetError: names each line that was refused or failed.
            LinqError: see `linq_provider.errors`.
        """
        nothing = Fleet(removed=olds.removed, allow_clearing=self._declarations.allowed_clears)
        if nothing.allow_clearing is not None:
            refuse_many_clears(self._account, self._declarations, olds, nothing)
        errors, _ = self._reconcile(olds, nothing)
        if errors:
            done, does = ("restored", "restores") if olds.removed == RESTORE else ("cleared", "clears")
            raise FleetError(
                f"{len(errors):,} of {len(olds.lines):,} lines were not {done}",
                errors,
                next_step=_conflict(errors) or f"Run the same command again: it {does} the rest.",
            )

    def _compare(self, olds: Fleet, news: Fleet) -> list[str]:
        """Compare a declaration with the account, line by line, and return everything that is wrong with it.

        Raises:
            LinqError: the account's lines could not be read, or another resource declares one of them.
        """
        self._declarations.declare(_numbers(news), kept=olds.lines.keys())
        if not olds.lines:
            self._declarations.new_fleet(
                0 if isinstance(news.allow_clearing, Unknown) else int(news.allow_clearing or 0)
            )
        # An update reconciles every line, so a line that somebody changed by hand matters too.
        changed = olds.inputs != news.inputs and (
            olds.lines.keys() != news.lines.keys()
            or any(olds.declaration(line) != news.declaration(line) for line in news.lines)
        )
        if changed and self._live_check:
            self._account.refresh()
            # Now it is known which names belong to the same line.
            self._declarations.declare(_numbers(news), kept=[line for line in news.lines if self._has(olds, line)])
        with self._declarations.as_of_now():
            problems = self._compare_lines(olds, news, changed=changed)
        try:
            refuse_many_clears(self._account, self._declarations, olds, news)
        except RefusedError as error:
            problems.append(str(error))
        if changed:
            self._announce_overwrites(olds, news)
        return problems

    def _compare_lines(self, olds: Fleet, news: Fleet, *, changed: bool) -> list[str]:
        said: list[str] = []
        single = self._single(said.append)
        problems = []
        for line in news.lines:
            declaration = news.declaration(line)
            before = self._declaration_before(olds, line) if changed else declaration
            found = single.problems(before, declaration)
            try:
                self._refuse_named_twice(line, news)
                if not found and not self._is_named_twice(line, news):
                    single.compare_with_account(before, declaration, changed=changed)
            except LinqError as error:
                found = [str(error)]
            problems += [f"{line}: {problem}" for problem in found]
        self._tell(said)
        return problems

    def _apply(self, olds: Fleet, news: Fleet) -> Fleet:
        with self._failing(news):
            errors, replaced = self._reconcile(olds, news)
            if errors:
                raise self._incomplete(olds, news, errors, replaced)
        return replace(news, replaced_numbers=replaced or None)

    def _reconcile(self, olds: Fleet, news: Fleet) -> tuple[dict[str, LinqError], dict[str, str]]:
        """Bring all lines to what `news` declares, at the same time.

        Returns the error of each line that failed, and what lines forwarded to before, if that is to be recorded.
        """
        said: list[str] = []
        single = self._single(said.append)
        replaced: dict[str, str] = {}
        calls: dict[str, Callable[[], object]] = {}
        in_doubt = self._declarations.in_doubt  # read first: a line of this fleet that fails puts nothing in doubt
        for line in sorted(news.lines):
            calls[line] = partial(self._forward, single, olds, news, line, replaced)
        for line in sorted(self._removed(olds, news)):
            calls[line] = partial(self._give_up, single, olds, line, news.removed, in_doubt=in_doubt)
        done = {line: calls.pop(line) for line in [*calls] if self._is_as_declared(line, news)}
        errors = run_in_turn(done) | self._run(calls)
        self._tell(said)
        return errors, replaced

    def _tell(self, said: list[str]) -> None:
        for text in said[:SHOWN_LINES]:
            self._notify(text)
        if len(said) > SHOWN_LINES:
            self._notify(f"The same holds for {len(said) - SHOWN_LINES:,} more lines.")

    def _forward(
        self, single: ForwardingLifecycle, olds: Fleet, news: Fleet, line: str, replaced: dict[str, str]
    ) -> None:
        outputs = self._forwarded(single, olds, news, line)
        if outputs.replaced_number is not None:
            replaced[line] = outputs.replaced_number

    def _forwarded(self, single: ForwardingLifecycle, olds: Fleet, news: Fleet, line: str) -> Outputs:
        inputs = news.declaration(line)
        now = self._account.find(line)
        recorded = olds.recorded(now) if now else olds.lines.get(line)
        if not isinstance(recorded, str):
            return single.create(inputs)
        now = now or self._account.confirmed(line, lambda found: found is not None)
        if now is None:
            raise self._account.not_seen()
        remembered = olds.replaced(line, now.id, now.phone_number)
        before = Outputs(now.id, now.phone_number, recorded, inputs.declared_by, replaced_number=remembered)
        return single.update(before, inputs)

    def _give_up(self, single: ForwardingLifecycle, olds: Fleet, line: str, removed: object, *, in_doubt: bool) -> None:
        try:
            now = self._account.confirmed(line, lambda found: found is not None)
        except NoLinesError:
            if not is_uuid(line):
                raise
            now = None
        if now is None and not is_uuid(line):
            self._notify(
                f"This key does not see {line} any more, so there was nothing to clear. If it still exists under"
                " another key, it keeps its forwarding."
            )
            return
        number, phone_number_id = (now.phone_number, now.id) if now else (line, line)
        recorded = str(olds.lines[line] or "")
        single.delete(
            Outputs(
                phone_number_id,
                number,
                recorded,
                "",
                applied_number=olds.applied(line),
                removed=removed if isinstance(removed, str) else None,
                replaced_number=olds.replaced(line),
            ),
            in_doubt=in_doubt,
        )

    def _removed(self, olds: Fleet, news: Fleet) -> list[str]:
        """The lines that were removed from the map and have to be cleared or restored."""
        removed = [line for line in olds.lines if line not in news.lines and not self._is_renamed(line, news)]
        if removed and news.removed == KEEP:
            self._notify(f'Left as they are (removed="keep"): {_listed(removed)}.')
            return []
        return removed

    def _is_as_declared(self, line: str, news: Fleet) -> bool:
        """Whether the line is already known to forward as it is declared."""
        now = self._account.known(line)
        return now is not None and now.forwarding_number == news.lines.get(line)

    def _is_renamed(self, line: str, news: Fleet) -> bool:
        """Whether the map has the line under its other name."""
        return any(name in news.lines for name in self._account.names(line))

    def _is_named_twice(self, line: str, news: Fleet) -> bool:
        now = self._account.known(line)
        return now is not None and now.id in news.lines and now.phone_number in news.lines

    def _refuse_named_twice(self, line: str, news: Fleet) -> None:
        now = self._account.known(line)
        if now and now.id == line and self._is_named_twice(line, news):
            raise RefusedError(
                f"forwardings has this line twice, by its id and by its number, {now.phone_number}.",
                next_step="Remove one of the two.",
            )

    def _declaration_before(self, olds: Fleet, line: str) -> Inputs:
        """The old declaration of the line, under any of its names; empty if it is new."""
        return next((olds.declaration(name) for name in self._account.names(line) if name in olds.lines), Inputs())

    def _has(self, olds: Fleet, line: str) -> bool:
        """Whether the state has the line under any of its known names."""
        return any(name in olds.lines for name in self._account.names(line))

    def _announce_overwrites(self, olds: Fleet, news: Fleet) -> None:
        """At preview, report the lines whose forwarding somebody else set and this fleet replaces."""
        taken = []
        for line in news.lines:
            now = self._account.known(line)
            if not now or not (news.may_overwrite(line) or self._on_conflict == OVERWRITE):
                continue
            if now.forwarding_number not in ("", news.lines[line], olds.recorded(now)):
                taken.append(f"{line} (now {now.forwarding_number})")
        if taken:
            self._notify(f"overwrite replaces the forwarding of these lines: {_listed(taken)}.")

    def _incomplete(
        self, olds: Fleet, news: Fleet, errors: Mapping[str, LinqError], remembered: Mapping[str, str]
    ) -> FleetError:
        """The error of a fleet in which some lines failed."""
        replaced = {line: self._declarations.recorded(*self._account.names(line)) for line in errors}
        before = {
            line: str(number)
            for line, number in ({line: n for line, n in replaced.items() if n is not None} | dict(olds.lines)).items()
            if any(name in errors for name in self._account.names(line))
        }
        after = {line: str(number) for line, number in news.lines.items() if line not in errors}
        lines = len(olds.lines.keys() | news.lines.keys())
        return FleetError(
            f"{len(errors):,} of {lines:,} lines are not as declared",
            errors,
            forwardings=before | after,
            replaced_numbers={**(olds.replaced_numbers or {}), **remembered},
            next_step=_conflict(errors) or "Run `pulumi up --refresh`: it writes what is missing, and nothing else.",
        )

    @staticmethod
    def recorded_in_part(olds: Fleet, error: FleetError) -> Fleet:
        """What a state can record for a fleet that failed in part: its lines as they are after the error."""
        applied = {line: number for line, number in (olds.applied_numbers or {}).items() if line in error.errors}
        replaced = {line: number for line, number in error.replaced_numbers.items() if line in error.forwardings}
        return Fleet(error.forwardings, applied_numbers=applied or None, replaced_numbers=replaced or None)

    def _single(self, notify: Callable[[str], None]) -> ForwardingLifecycle:
        return ForwardingLifecycle(
            self._account,
            self._declarations,
            live_check=self._live_check,
            on_conflict=self._on_conflict,
            notify=notify,
            destinations=self._destinations,
        )

    @contextmanager
    def _failing(self, news: Fleet) -> Iterator[None]:
        """If the fleet fails, remember that no state will have its new lines: it is recorded as it was before."""
        try:
            yield
        except Exception:
            self._declarations.fail(*(name for line in news.lines for name in self._account.names(line)))
            raise


def _numbers(news: Fleet) -> dict[str, str | None]:
    """The number declared for each line; None where it is not known yet."""
    return {line: number if isinstance(number, str) else None for line, number in news.lines.items()}


def _conflict(errors: Mapping[str, LinqError]) -> str:
    """What to do if a line was not given up because somebody else set its number, when a refresh does not help."""
    steps = {error.next_step for error in errors.values()}
    return next((step for step in (ON_CONFLICT_RESTORE, ON_CONFLICT) if step in steps), "")


def _is_recorded(recorded: object, line: PhoneNumber | None) -> bool:
    return line is not None and line.forwarding_number == recorded


def _listed(lines: list[str]) -> str:
    """The first lines, and how many more there are."""
    return listed(sorted(lines))
