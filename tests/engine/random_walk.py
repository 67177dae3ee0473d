"""The seeds of the random walks: a walk that fails prints its seed, and `WALK_SEED=N` takes the same walk first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from random import Random, SystemRandom

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

FIRST_SEED = int(os.environ.get("WALK_SEED") or SystemRandom().randrange(2**32))


@contextmanager
def seeded_random(number: int) -> Iterator[Random]:
    """The random choices of one walk of many; what it printed is shown where it fails, with its seed."""
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            yield Random(FIRST_SEED + number)
    except BaseException:
        print(f"{printed.getvalue()}again with: WALK_SEED={FIRST_SEED + number}")
        raise


def run_walks(walk: type[RuleBasedStateMachine], *, walks: int, steps: int) -> None:
    """Let Hypothesis take so many walks of so many steps; where one fails, it looks for a shorter one that fails too."""
    print(f"again with: WALK_SEED={FIRST_SEED}")
    run_state_machine_as_test(
        seed(FIRST_SEED)(walk),
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            phases=[Phase.generate, Phase.shrink],
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def flip(chance: Random) -> bool:
    """Heads or tails."""
    return chance.random() < 0.5
