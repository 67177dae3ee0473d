"""What is refused: overwriting somebody else's number, a line under two names, a loop, many clears at once."""

from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations
from linq_provider.core.records import KEEP, RESTORE, Fleet, Unknown
from linq_provider.errors import RefusedError
from linq_provider.phone_number import PhoneNumber

ON_CONFLICT = "Run again with LINQ_ON_CONFLICT=keep to leave it as it is, or LINQ_ON_CONFLICT=overwrite to clear it."
ON_CONFLICT_RESTORE = (
    "Run again with LINQ_ON_CONFLICT=keep to leave it as it is, or LINQ_ON_CONFLICT=overwrite to restore it."
)
FEW_LINES = 5  # how many lines one update may clear, whatever the size of the fleet
FEW_PERCENT = 10  # or this share of its lines, if that is more


def refuse_overwrite(line: PhoneNumber, declared: str, *, overwrite: bool, recorded: str | None) -> None:
    """Refuse to overwrite a number that neither the program nor the state has.

    `recorded` is the number in the state; None if the line is new to the stack.

    Raises:
        RefusedError: the message gives the live number and what to do.
    """
    live = line.forwarding_number
    if overwrite or live in (declared, recorded) or (recorded is None and not live):
        return
    if recorded is None:
        raise RefusedError(
            f"Line {line.id} ({line.phone_number}) already forwards to {live}, which is not the declared number.",
            next_step="Declare that number to adopt it as it is, or set overwrite=True to replace it. If the resource"
            " was renamed, give it aliases, or run once with LINQ_ON_CONFLICT=overwrite.",
        )
    raise RefusedError(
        f"Line {line.id} ({line.phone_number}) was changed outside Pulumi to {live or 'not forwarded'}.",
        next_step="Run `pulumi refresh` to see it, or set overwrite=True to replace it.",
    )


def foreign_number(line: PhoneNumber, *, restore: bool) -> RefusedError:
    """The error for a line that is to be cleared or restored, but forwards to a number that this stack did not set."""
    if not restore:
        return RefusedError(
            f"Line {line.id} ({line.phone_number}) {not_ours(line)}. Nothing was cleared.",
            next_step=ON_CONFLICT,
        )
    return RefusedError(
        f"Line {line.id} ({line.phone_number}) {not_ours(line)}. Nothing was restored.",
        next_step=ON_CONFLICT_RESTORE,
    )


def not_ours(line: PhoneNumber) -> str:
    """How a line is now that somebody else has changed its forwarding."""
    if line.forwarding_number:
        return f"now forwards to {line.forwarding_number}, which this stack did not set"
    return "is no longer forwarded, although this stack forwarded it"


def moved(line: PhoneNumber, *, declared_by: str) -> RefusedError:
    """The error for a phone number that is another line at Linq now; a refresh can follow a number, but not an id."""
    by_number = declared_by == "phone_number"
    return RefusedError(
        f"At Linq, {line.phone_number} now has the id {line.id}; the id in the state does not exist any more.",
        next_step="Run `pulumi up --refresh`." if by_number else f'Declare phone_number_id="{line.id}".',
    )


def refuse_two_names(account: Account, declarations: Declarations, identity: str) -> None:
    """Refuse a known line that is declared both by its number and by its id. Makes no request.

    A resource has one name for its line, so two names mean two resources.

    Raises:
        RefusedError: both names are declared in this run.
    """
    line = account.known(identity)
    names = account.names_of(line) if line else ()
    if line and len(names) > 1 and all(declarations.declares(name) for name in names):
        raise RefusedError(
            f"Line {line.id} ({line.phone_number}) is declared by two resources of this program: by one with"
            " phone_number, by the other with phone_number_id.",
            next_step="Remove one of the two: otherwise either number could be used.",
        )


def refuse_loop(account: Account, declarations: Declarations, identity: str, forwarding_number: str) -> None:
    """Follow the known forwardings from a line, as declared or else as they are live. Makes no request.

    Raises:
        RefusedError: they lead back to the line, so that calls would go in a circle and never ring.
    """
    line = account.known(identity)
    start = line.phone_number if line else identity
    step: str | None = forwarding_number
    seen: set[str] = set()
    while step and step not in seen:
        if step == start:
            raise RefusedError(
                f"The line would forward to {'another line that forwards back' if seen else 'itself'}, so calls would"
                " go in a circle and never ring.",
                next_step="Declare another forwarding_number.",
            )
        seen.add(step)
        step = _forwarding_of(account, declarations, step)


def _forwarding_of(account: Account, declarations: Declarations, phone_number: str) -> str | None:
    """What a line forwards to after this run; None if not known."""
    line = account.known(phone_number)
    names = (phone_number, line.id) if line else (phone_number,)
    if declarations.planned(*names):
        return declarations.forwarding_of(*names)
    return line.forwarding_number if line else None


def refuse_many_clears(account: Account, declarations: Declarations, olds: Fleet, news: Fleet) -> None:
    """Refuse an update that clears many lines, for example because a roster was emptied by mistake.

    Raises:
        RefusedError: more lines would be cleared than `allow_clearing` allows.
    """
    allow = news.allow_clearing
    if isinstance(allow, Unknown) or Unknown.UNKNOWN in (news.forwardings, news.removed):
        return
    clears = [line for line, number in olds.lines.items() if number and _clears(account, declarations, line, news)]
    # A line that was never seen may be in the new map under its other name.
    unseen = sum(account.known(line) is None for line in clears)
    count = len(clears) - min(unseen, len(news.lines.keys() - olds.lines.keys()))
    allowed = max(FEW_LINES, len(olds.lines) * FEW_PERCENT // 100, int(allow or 0))
    if count > allowed:
        clear, cleared = ("clear or restore", "given up") if news.removed == RESTORE else ("clear", "cleared")
        raise RefusedError(
            f"This would {clear} {count:,} of {len(olds.lines):,} lines; at most {allowed:,} may be {cleared} without"
            " allow_clearing.",
            next_step=f"If this is intended, set allow_clearing={count}; if not, check where the map comes from. A line"
            " that another resource declares does not count if the provider handles that resource first: let this fleet"
            " depend on it.",
        )


def _clears(account: Account, declarations: Declarations, line: str, news: Fleet) -> bool:
    names = account.names(line)
    declared = [news.lines[name] for name in names if name in news.lines]
    if declared:
        return declared[0] == ""
    return news.removed != KEEP and not declarations.planned(*names)
