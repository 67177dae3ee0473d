"""The seed of the random walks, in one place: each walk prints its seed, and `WALK_SEED=N` takes the same steps again."""

from __future__ import annotations

import os
from random import Random, SystemRandom

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

SEED = int(os.environ.get("WALK_SEED") or SystemRandom().randrange(2**32))


def seeded_random(number: int) -> Random:
    """The random choices of the walk with this number; each walk has a seed of its own, so that it can be run alone."""
    return Random(_print_seed(SEED + number))


def run_walks(walk: type[RuleBasedStateMachine], *, walks: int, steps: int) -> None:
    """Let Hypothesis take so many walks of so many steps; where one fails, it looks for a shorter one that fails too."""
    seed(_print_seed(SEED))(walk)
    run_state_machine_as_test(
        walk,
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


def _print_seed(value: int) -> int:
    print(f"again with: WALK_SEED={value}")
    return value
