"""Forward lines from within a Python service: one call, a structured result, and an exception that says why not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi import automation

import linq_provider as linq

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Deployment:
    """What a deployment did: counts like {"create": 1, "same": 2}, and what each line forwards to now."""

    changes: dict[str, int]
    forwardings: dict[str, str]


class DeploymentFailed(Exception):
    """A deployment that was refused or did not finish; `reasons` are the engine's own error messages."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def deploy(stack: str, forwardings: Mapping[str, str], *, on_progress: Callable[[str], None]) -> Deployment:
    """Make these lines, and no others, forward to these numbers; a line that is left out is cleared."""

    def program() -> None:
        for line, number in forwardings.items():
            declared = linq.PhoneNumberForwarding(line, phone_number=line, forwarding_number=number)
            pulumi.export(line, declared.forwarding_number)

    reasons: list[str] = []

    def on_event(event: automation.EngineEvent) -> None:
        if event.res_outputs_event and "linq" in event.res_outputs_event.metadata.type:
            step = event.res_outputs_event.metadata
            if step.op not in (automation.OpType.SAME, automation.OpType.REFRESH):
                on_progress(f"{step.op.value} {step.urn.rpartition('::')[2]}")
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            reasons.append(event.diagnostic_event.message.strip())

    # The engine starts the provider with the first python3 on PATH, which is not a service's own unless it is told.
    options = automation.LocalWorkspaceOptions(work_dir=str(FOLDER), env_vars={"PULUMI_PYTHON_CMD": sys.executable})
    try:
        selected = automation.create_or_select_stack(
            stack, project_name="automation-api", program=program, opts=options
        )
        result = selected.up(refresh=True, color="never", on_event=on_event)
    except automation.CommandError as error:
        # Without a reason, the engine was never started: a locked stack, a wrong passphrase, no backend.
        raise DeploymentFailed(reasons or [str(error).strip()]) from error
    return Deployment(
        changes=dict(**(result.summary.resource_changes or {})),
        forwardings={line: output.value for line, output in result.outputs.items()},
    )
