"""The same with Linq's own SDK and no state: `script.py VERB THREADS`.

Lists the lines once and writes those that differ: one after the other, or by so many threads.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import linq

verb, threads = sys.argv[1], int(sys.argv[2])
declared = json.loads(Path("lines.json").read_text())
if verb == "destroy":
    declared = dict.fromkeys(declared, "")

client = linq.LinqAPIV3()
rows = {row.phone_number: row for row in client.phone_numbers.list().phone_numbers}
differing = {line: number for line, number in declared.items() if (rows[line].forwarding_number or "") != number}


def forward(line: str) -> None:
    """Write one line."""
    client.phone_numbers.update(rows[line].id, forwarding_number=differing[line])


if verb == "refresh":
    print(f"{len(differing)} lines differ")
elif threads == 1:
    for line in differing:
        forward(line)
else:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(forward, differing))
