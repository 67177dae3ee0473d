"""The life of many forwardings as one resource: reconcile what is declared with what is live. Knows no Pulumi.

Each line goes through the verbs of the single forwarding, so each of its rules holds here. A line that fails does not
stop the others; the error names it, and the next `pulumi up --refresh` writes exactly the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.e164 import is_uuid
from linq_provider.core.guards import refuse_many_clears
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Diff, Fleet, Inputs, Outputs, validate_fleet, validate_lines
from linq_provider.errors import FleetError, LinqError, RefusedError

SHOWN_LINES = 10  # how many lines one message names


class FleetLifecycle:
    """The verbs, for the fleets of one account in one provider process.

    `run` makes calls side by side, see `run_concurrently`. `notify` receives one line of text for the user.
    """

    def __init__(
        self,
        account: Account,
        declarations: Declarations,
        *,
        live_check: bool,
        run: Callable[[Mapping[str, Callable[[], object]]], dict[str, LinqError]],
        notify: Callable[[str], None],
        destinations: DestinationGuard | None = None,
    ) -> None:
        self._account = account
        self._declarations = declarations
        self._destinations = destinations
        self._live_check = live_check
        self._run = run
        self._notify = notify

    def check(self, olds: Fleet, news: Fleet) -> tuple[Fleet, list[str]]:
        """The inputs to record, and everything that stands against them, line by line; `olds` is empty when new.

        Unchanged inputs cost no request.
        """
        if problems := validate_fleet(news):
            return news, [*problems, *validate_lines(news)]
        # An update settles every line, so one that changed by hand meanwhile counts, too.
        changed = olds.lines.keys() != news.lines.keys() or any(
            olds.declaration(line) != news.declaration(line) for line in news.lines
        )
        if changed and self._live_check:
            try:
                self._account.refresh()
            except LinqError as error:
                return news, [str(error), *validate_lines(news)]
        single = self._single(self._notify)
        for line in news.lines:
            if number := self._named_twice(line, news):
                problems.append(
                    f"{line}: forwardings names this line by its number, {number}, too; remove one of the two"
                )
                continue
            _, found = single.check(self._inputs_before(olds, line), news.declaration(line), changed=changed)
            problems += [f"{line}: {problem}" for problem in found]
        try:
            refuse_many_clears(self._account, self._declarations, olds, news)
        except RefusedError as error:
            problems.append(str(error))
        if changed:
            self._tell_taken_over(olds, news)
        return news, problems

    def diff(self, olds: Fleet, news: Fleet) -> Diff:
        """Whether anything differs; another set of lines is an update, never a replacement. No request."""
        cleared = self._declarations.cleared(*news.lines)
        changes = olds != news or cleared
        for line, recorded in olds.lines.items():
            # Where refresh asks, nothing was checked: see ForwardingLifecycle.diff.
            if line in news.lines and self._declarations.keeps(line) and isinstance(recorded, str):
                if not changes:
                    self._declarations.mark_unchanged(line)
                elif recorded != news.lines[line]:
                    self._declarations.change(line, recorded)
        return Diff(changes, cleared=cleared)

    def create(self, news: Fleet) -> Fleet:
        """Bring every line to its number; writes nothing where it already is.

        Raises:
            FleetError: names each line that was refused or failed.
            LinqError: see `linq_provider.errors`.
        """
        return self._apply(Fleet(), news)

    def update(self, olds: Fleet, news: Fleet) -> Fleet:
        """Write what differs from the account; clear, or keep, the lines that were taken out.

        Raises:
            RefusedError: more lines would be cleared than `allow_clearing` allows; nothing was written.
            FleetError: names each line that was refused or failed.
            LinqError: see `linq_provider.errors`.
        """
        self._account.refresh()
        refuse_many_clears(self._account, self._declarations, olds, news)
        return self._apply(olds, news)

    def read(self, olds: Fleet) -> Fleet:
        """The lines as they are now; one that this key no longer sees is left out, with a word to the user.

        Raises:
            LinqError: the list could not be had; that never counts as gone.
        """
        live = {line: self._account.find(line) for line in olds.lines}
        gone = [line for line, now in live.items() if now is None]
        if gone:
            self._notify(
                f"No longer among the lines of this key, and taken out of the state: {_listed(gone)}. If they still"
                " exist under another key, they keep their forwarding."
            )
        return replace(olds, forwardings={line: now.forwarding_number for line, now in live.items() if now})

    def delete(self, olds: Fleet) -> None:
        """Clear every line that the program does not declare elsewhere; with `removed="keep"` leave them all.

        Raises:
            FleetError: names each line that failed.
            LinqError: see `linq_provider.errors`.
        """
        if errors := self._reconcile(olds, Fleet(removed=olds.removed)):
            raise FleetError(
                f"{len(errors):,} of {len(olds.lines):,} lines were not cleared",
                errors,
                next_step="Run the same command again: it clears the rest.",
            )

    def _apply(self, olds: Fleet, news: Fleet) -> Fleet:
        if errors := self._reconcile(olds, news):
            done = news.lines.keys() - errors.keys()
            for line in done:
                self._declarations.release(*self._account.names(line))
            next_step = "Run `pulumi up --refresh`: it writes what is missing, and nothing else."
            added = [line for line in done if line not in olds.lines]
            if added and olds.lines:
                next_step += (
                    f" If you go back instead, mend these new lines by hand, which no state has: {_listed(added)}."
                )
            lines = len(olds.lines.keys() | news.lines.keys())
            raise FleetError(f"{len(errors):,} of {lines:,} lines are not as declared", errors, next_step=next_step)
        return news

    def _reconcile(self, olds: Fleet, news: Fleet) -> dict[str, LinqError]:
        """Bring every line to what `news` says of it, side by side; why it failed, for each that did."""
        said: list[str] = []
        single = self._single(said.append)
        calls: dict[str, Callable[[], object]] = {}
        for line in sorted(news.lines):
            calls[line] = partial(self._forward, single, olds, news, line)
        for line in sorted(self._removed(olds, news)):
            calls[line] = partial(self._clear, single, olds, line)
        errors = self._run(calls)
        for text in said[:SHOWN_LINES]:
            self._notify(text)
        if len(said) > SHOWN_LINES:
            self._notify(f"So it was with {len(said) - SHOWN_LINES:,} more lines.")
        return errors

    def _forward(self, single: ForwardingLifecycle, olds: Fleet, news: Fleet, line: str) -> Outputs:
        inputs = news.declaration(line)
        now = self._account.require(line)
        recorded = olds.recorded(now)
        if recorded is None:
            return single.create(inputs)
        return single.update(Outputs(now.id, now.phone_number, recorded, inputs.declared_by), inputs)

    def _clear(self, single: ForwardingLifecycle, olds: Fleet, line: str) -> None:
        now = self._account.find(line)
        number, phone_number_id = (now.phone_number, now.id) if now else (line, line)
        recorded = olds.recorded(now) if now else olds.lines[line]
        single.delete(Outputs(phone_number_id, number, str(recorded or ""), ""))

    def _removed(self, olds: Fleet, news: Fleet) -> list[str]:
        """The lines that were taken out and have to be cleared."""
        removed = [line for line in olds.lines if line not in news.lines]
        if not removed:
            return []
        if news.removed == "keep":
            self._notify(f'Left as they are (removed="keep"): {_listed(removed)}.')
            return []
        live = {line: self._account.find(line) for line in removed}
        if gone := [line for line, now in live.items() if now is None and not is_uuid(line)]:
            self._notify(
                f"This key sees them no more, so there was nothing to clear: {_listed(gone)}. If they still exist under"
                " another key, they keep their forwarding."
            )
        forwarded = [line for line, now in live.items() if now and now.forwarding_number and news.recorded(now) is None]
        return forwarded + [line for line, now in live.items() if now is None and is_uuid(line)]

    def _named_twice(self, phone_number_id: str, news: Fleet) -> str | None:
        """The number of a line that the map names by both; None where it does not, or as far as is not known."""
        now = self._account.known(phone_number_id)
        return now.phone_number if now and now.id == phone_number_id and now.phone_number in news.lines else None

    def _inputs_before(self, olds: Fleet, line: str) -> Inputs:
        """What the line was declared as, also under its other name; empty where it is new."""
        return next((olds.declaration(name) for name in self._account.names(line) if name in olds.lines), Inputs())

    def _tell_taken_over(self, olds: Fleet, news: Fleet) -> None:
        """At preview: which lines `overwrite` takes from somebody else."""
        taken = []
        for line in filter(news.may_overwrite, news.lines):
            now = self._account.known(line)
            if now and now.forwarding_number not in ("", news.lines[line], olds.recorded(now)):
                taken.append(f"{line} (now {now.forwarding_number})")
        if taken:
            self._notify(f"Because of overwrite, these are taken over: {_listed(taken)}.")

    def _single(self, notify: Callable[[str], None]) -> ForwardingLifecycle:
        return ForwardingLifecycle(
            self._account,
            self._declarations,
            live_check=self._live_check,
            notify=notify,
            destinations=self._destinations,
        )


def _listed(lines: list[str]) -> str:
    """A few of the lines, and how many more there are."""
    more = f" and {len(lines) - SHOWN_LINES:,} more" if len(lines) > SHOWN_LINES else ""
    return ", ".join(sorted(lines)[:SHOWN_LINES]) + more
