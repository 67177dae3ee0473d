"""What differs between what is declared and what is live; no request is made here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from linq_provider.cli.declared import Declared
from linq_provider.errors import LinqError
from linq_provider.phone_number import PhoneNumber

SECRET = "[secret]"


@dataclass(frozen=True)
class Change:
    """A declared line that forwards elsewhere, or, with `live` None, that the key no longer sees."""

    line: str
    declared: str
    live: str | None
    by: str


@dataclass(frozen=True)
class Difference:
    """Of one account, or of several. `undeclared` are the lines that forward and are declared nowhere."""

    declared: int = 0
    changes: Sequence[Change] = ()
    seen: Mapping[str, PhoneNumber] = field(default_factory=dict, repr=False)
    found: frozenset[str] = frozenset()

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            self.declared + other.declared,
            [*self.changes, *other.changes],
            {**self.seen, **other.seen},
            self.found | other.found,
        )

    @property
    def changed(self) -> list[Change]:
        """Lines that forward elsewhere than declared."""
        return [change for change in self.changes if change.live is not None]

    @property
    def gone(self) -> list[Change]:
        """Declared lines that the key does not see."""
        return [change for change in self.changes if change.live is None]

    @property
    def undeclared(self) -> list[PhoneNumber]:
        """Lines that forward and are declared nowhere."""
        lines = (line for id_, line in self.seen.items() if line.forwarding_number and id_ not in self.found)
        return sorted(lines, key=lambda line: line.phone_number)


def difference(declared: Iterable[Declared], live: Iterable[PhoneNumber]) -> Difference:
    """Compare the declarations for one account with its lines.

    Raises:
        LinqError: two declarations of a line do not agree, so it cannot be told which one counts.
    """
    seen = {line.id: line for line in live}
    names = {**{line.phone_number: line for line in seen.values()}, **seen}
    first: dict[str, Declared] = {}
    changes: list[Change] = []
    for each in declared:
        line = names.get(each.line)
        earlier = first.setdefault(line.id if line else each.line, each)
        if earlier.number != each.number:
            raise LinqError(
                f"{_shown(each, line)} is declared with two numbers: by {earlier.by} and by {each.by}.",
                next_step="Run `pulumi up` where the stack is behind its roster, or remove one of the two.",
            )
        now = line.forwarding_number if line else None
        if earlier is each and now != each.number:
            changes.append(Change(_shown(each, line), SECRET if each.secret else each.number, now, each.by))
    changes.sort(key=lambda change: change.line)
    return Difference(len(first), changes, seen, frozenset(first))


def _shown(declared: Declared, line: PhoneNumber | None) -> str:
    """The line as it may be shown: an id is never secret."""
    return declared.label or (line.id if line else SECRET)
