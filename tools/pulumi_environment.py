"""The environment of a Pulumi CLI call that touches nothing of the user's own Pulumi."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def pulumi_environment(folder: Path, **more: str) -> dict[str, str]:
    """This process's environment for the CLI: state, settings and plugins under `folder`, stack `dev`.

    The virtual environment of this interpreter comes first on PATH, because that is where the engine looks for the
    Python that runs programs and dynamic providers. Settings of Pulumi, Linq and proxies are not handed on.
    """
    (folder / "backend").mkdir(parents=True, exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULUMI_", "LINQ_")) and not name.upper().endswith("_PROXY")
    }
    return inherited | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "local",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_STACK": "dev",
        **more,
    }
