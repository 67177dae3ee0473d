"""Make the release assets of the native package: `python tools/plugin_assets.py FOLDER`, which holds the wheel.

Pulumi looks for one archive for each operating system and processor. They are all the same here: the folder plugin/ and
the wheel. Pulumi makes the plugin's virtual environment when it installs it.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path

PLUGIN = Path(__file__).resolve().parent.parent / "plugin"
PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")


def main(folder: Path) -> None:
    """Write an archive for each platform beside the wheel."""
    (wheel,) = folder.glob("linq_provider-*.whl")
    packed = archive([*sorted(PLUGIN.iterdir()), wheel])
    version = wheel.name.split("-")[1]
    for platform in PLATFORMS:
        (folder / f"pulumi-resource-linq-v{version}-{platform}.tar.gz").write_bytes(packed)


def archive(files: list[Path]) -> bytes:
    """Pack files, so that the same files give the same bytes at any time and for any user."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for file in files:
            if file.is_file():
                entry = tarfile.TarInfo(file.name)
                entry.size, entry.mode = file.stat().st_size, 0o644
                with file.open("rb") as content:
                    tar.addfile(entry, content)
    return packed.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
