"""Look-ups with the real engine: a program that declares what it finds."""

from __future__ import annotations

import pytest
from pulumi import automation
from workspace import PROJECT, Workspace

from linq_provider.program.lookup import get_phone_number

pytestmark = pytest.mark.engine


def test_a_program_declares_all_lines_of_a_type(stack: Workspace) -> None:
    """Each line of the type is forwarded, one list call serves all look-ups of a program, and the next preview is empty."""
    stack.emulator.add_number("+12025550177", line_type="RCS")
    imessage = [line for line in stack.emulator.phone_numbers if line.line_type == "iMessage"]
    assert len(imessage) == 3
    stack.program(
        """
        from linq_provider.program.lookup import get_phone_number, get_phone_numbers

        for line in get_phone_numbers():
            if line.line_type == "iMessage":
                linq.PhoneNumberForwarding(line.id, phone_number_id=line.id, forwarding_number="+12025559999")
        pulumi.export("rcs", get_phone_number("+12025550177").id)
        """
    )
    assert stack.up().changes == {"created": 4}
    assert sorted(stack.writes()) == sorted((line.id, "+12025559999") for line in imessage)
    assert stack.methods().count("GET") <= 3
    stack.emulator.clear_requests()
    stack.empty_preview()
    assert stack.methods() == ["GET"]
    assert "canary" not in stack.state_text()


def test_a_line_that_is_not_seen(stack: Workspace) -> None:
    """The preview ends with the sentence, without a traceback and without the key."""
    stack.program('from linq_provider.program.lookup import get_phone_number\nget_phone_number("+12025550000")\n')
    output = stack.preview(fails=True).output
    assert "This key does not see the line +12025550000; it sees 3: " in output
    assert "Traceback" not in output
    assert "canary" not in output


def test_each_inline_run_looks_again(stack: Workspace) -> None:
    """Two runs in one Python process share no list: the second sees what was edited by hand in between."""
    line = stack.emulator.phone_numbers[0]
    seen: list[str] = []

    def program() -> None:
        seen.extend(get_phone_number(line.id).forwarding_number for _ in range(2))

    options = automation.LocalWorkspaceOptions(work_dir=str(stack.folder), env_vars=stack.environment)
    inline = automation.select_stack("dev", project_name=PROJECT, program=program, opts=options)
    inline.preview()
    stack.emulator.set_forwarding(line.id, "+12025559999")
    inline.preview()
    assert seen == ["", "", "+12025559999", "+12025559999"]
    assert stack.methods() == ["GET", "GET"]
