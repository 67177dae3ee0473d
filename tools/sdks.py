"""Make the SDKs of the native package from its schema: `python tools/sdks.py FOLDER`.

The folder gets the sources for each language, a wheel for Python, a package for npm, and a Go module. `gen-sdk` (see
tools/bootstrap/languages.py) and npm have to be on PATH.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SCHEMA = CHECKOUT / "linq_provider" / "native" / "schema.json"
GO_MODULE = "module pulumi-linq/sdk/go\n\ngo 1.23\n"


def main(folder: Path) -> None:
    """Make all of them anew."""
    shutil.rmtree(folder, ignore_errors=True)
    generate(folder)
    wheel(folder)
    node_package(folder)


def generate(folder: Path) -> None:
    """Write the sources for each language into the folder python, nodejs or go."""
    run("gen-sdk", SCHEMA, folder)
    (folder / "go" / "go.mod").write_text(GO_MODULE)
    for language in ("python", "nodejs", "go"):
        shutil.copy(CHECKOUT / "LICENSE", folder / language)


def wheel(folder: Path) -> None:
    """Build the wheel with the pip of a new virtual environment, which gets the build tools."""
    with tempfile.TemporaryDirectory() as environment:
        run(sys.executable, "-m", "venv", environment)
        pip = Path(environment, "bin", "pip")
        run(pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, folder / "python")


def node_package(folder: Path) -> None:
    """Compile the TypeScript, and pack what is published."""
    sources = folder / "nodejs"
    run("npm", "install", "--no-audit", "--no-fund", "--silent", cwd=sources)
    run("npm", "run", "--silent", "build", cwd=sources)
    for file in ("package.json", "README.md", "LICENSE"):
        shutil.copy(sources / file, sources / "bin")
    run("npm", "pack", "--silent", "--pack-destination", folder.resolve(), cwd=sources / "bin")


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a program, and show what it printed only if it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
