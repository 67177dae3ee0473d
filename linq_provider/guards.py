"""What may not be written: somebody else's number, and a loop. The same for one forwarding and for a fleet."""

from __future__ import annotations

from linq_provider.account import Account
from linq_provider.answers import PhoneNumber
from linq_provider.declarations import Declarations
from linq_provider.errors import RefusedError


def refuse_somebody_elses(line: PhoneNumber, declared: str, *, overwrite: bool, recorded: str | None) -> None:
    """Refuse to write over a number that neither the program nor the state knows.

    `recorded` is what the state says the line forwards to; None where the line is new to the stack.

    Raises:
        RefusedError: it names the live number and the way out.
    """
    live = line.forwarding_number
    if overwrite or live in (declared, recorded) or (recorded is None and not live):
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


def refuse_loop(account: Account, declarations: Declarations, identity: str, forwarding_number: str) -> None:
    """Follow the declared forwardings from a line, as far as they are known, without a request.

    Raises:
        RefusedError: they lead back to the line, so that calls would go round and never ring.
    """
    line = account.known(identity)
    start = line.phone_number if line else identity
    step: str | None = forwarding_number
    seen: set[str] = set()
    while step and step not in seen:
        if step == start:
            raise RefusedError(
                f"The line forwards to {'another declared line that forwards back' if seen else 'itself'}.",
                next_step="Calls would go round and never ring: declare another forwarding_number.",
            )
        seen.add(step)
        line = account.known(step)
        step = declarations.forwarding_of(step, *([line.id] if line else []))
