"""What people write by hand: a provider in the program, a request without a session, a list for each read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import requests
from pulumi.dynamic import CreateResult, ReadResult, Resource, ResourceProvider, UpdateResult

URL = os.environ["LINQ_API_V3_BASE_URL"] + "/v3/phone_numbers"
HEADERS = {"Authorization": "Bearer " + os.environ["LINQ_API_V3_API_KEY"]}
IDS = json.loads(Path("ids.json").read_text())


def put(phone_number_id: str, forwarding_number: str) -> None:
    """Write one line."""
    body = {"forwarding_number": forwarding_number}
    requests.put(f"{URL}/{phone_number_id}", json=body, headers=HEADERS, timeout=30).raise_for_status()


class NaiveProvider(ResourceProvider):
    """Pickled by value: its class, its module's functions, and the key."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write the line."""
        put(props["phone_number_id"], props["forwarding_number"])
        return CreateResult(props["phone_number_id"], props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Write the line."""
        put(_id, _news["forwarding_number"])
        return UpdateResult(_news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """List all lines, and find this one."""
        response = requests.get(URL, headers=HEADERS, timeout=30)
        response.raise_for_status()
        row = next(row for row in response.json()["phone_numbers"] if row["id"] == id_)
        return ReadResult(id_, {**props, "forwarding_number": row["forwarding_number"]})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Clear the line."""
        put(_id, "")


class Forwarding(Resource):
    """One line."""

    def __init__(self, name: str, phone_number_id: str, forwarding_number: str) -> None:
        props = {"phone_number_id": phone_number_id, "forwarding_number": forwarding_number}
        super().__init__(NaiveProvider(), name, props)


for index, (line, number) in enumerate(json.loads(Path("lines.json").read_text()).items()):
    Forwarding(f"line-{index}", IDS[line], number)
