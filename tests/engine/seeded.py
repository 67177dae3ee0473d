"""The seed of the random walks: printed by each, and taken from WALK_SEED, so that a walk can be walked again."""

from __future__ import annotations

import os
import random

from hypothesis import seed
from hypothesis.stateful import RuleBasedStateMachine

SEED = int(os.environ.get("WALK_SEED") or random.SystemRandom().randrange(2**32))


def seeded(walk: type[RuleBasedStateMachine]) -> type[RuleBasedStateMachine]:
    """The walk, which goes where `SEED` leads it."""
    print(f"again with: WALK_SEED={SEED}")
    return seed(SEED)(walk)
