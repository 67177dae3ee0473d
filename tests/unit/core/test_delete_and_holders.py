"""Deletes of lines that were cleared already, and which line a second holder is told."""

from __future__ import annotations

import pytest

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Inputs, Outputs
from linq_provider.emulator import Emulator
from linq_provider.errors import RefusedError

OFFICE = "+12025559999"


def test_delete_of_a_cleared_line_says_nothing() -> None:
    """A line that somebody cleared by hand is cleared without a word about another number."""
    with Emulator() as emulator:
        line, said = emulator.phone_numbers[0], list[str]()
        client = LinqClient(Settings.load({"linq:apiKey": emulator.api_key, "linq:baseUrl": emulator.url}, environ={}))
        lifecycle = ForwardingLifecycle(Account(client), Declarations(), live_check=True, notify=said.append)
        lifecycle.delete(Outputs(line.id, line.phone_number, OFFICE, "phone_number"))
        assert said == []
        client.close()


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_second_holder_is_told_which_line(verb: str) -> None:
    """create and update name the id of the line that another resource of the run holds."""
    with Emulator() as emulator:
        line, other, _ = emulator.phone_numbers
        client = LinqClient(Settings.load({"linq:apiKey": emulator.api_key, "linq:baseUrl": emulator.url}, environ={}))
        lifecycle = ForwardingLifecycle(Account(client), Declarations(), live_check=True, notify=print)
        wanted = Inputs(phone_number=line.phone_number, forwarding_number=OFFICE)
        lifecycle.create(wanted)
        again = {
            "create": lambda: lifecycle.create(wanted),
            "update": lambda: lifecycle.update(Outputs(line.id, line.phone_number, "", "phone_number"), wanted),
        }[verb]
        with pytest.raises(RefusedError, match=f"Line {line.id} is declared by another resource"):
            again()
        assert emulator.forwarding(other.id) == ""
        client.close()
