"""An exported account as the text of a Pulumi program."""

from collections.abc import Iterator

from linq_provider.cli.exported import ExportedAccount, ExportedLine

MOST_RESOURCES = 50  # lines; beyond it one fleet is easier to read, and cheaper for the engine

HEAD = '''\
"""Where calls to the lines of a Linq account are forwarded: {summary}.

Written by `linq-provider export` from the live account. `pulumi up` adopts the lines as they are and writes
nothing. "" declares: not forwarded. Deleting what stands here clears the forwarding, see `retain_on_delete`.
"""
'''
HEAD_OF_NOTHING = '''\
"""There is nothing to declare: `linq-provider export` found no line that can be declared."""
'''


def program_text(account: ExportedAccount) -> str:
    """A complete program, formatted as Ruff and Black do."""
    parts = [HEAD.format(summary=account.summary) if account.lines else HEAD_OF_NOTHING]
    if account.lines:
        parts.append("\nimport linq_provider as linq\n")
    if account.left_out:
        parts.append("\n# Left out, because they cannot be declared as they are:\n")
        parts += [f"# {line}\n" for line in account.left_out]
    parts += _resources(account) if len(account.lines) <= MOST_RESOURCES else _fleet(account)
    return "".join(parts)


def _resources(account: ExportedAccount) -> Iterator[str]:
    for line in account.lines:
        yield (
            f"\n# {line.remark}\n"
            "linq.PhoneNumberForwarding(\n"
            f'    "{line.resource_name}",\n'
            f'    {line.by}="{line.identity}",\n'
            f'    forwarding_number="{line.forwarding_number}",\n'
            ")\n"
        )


def _fleet(account: ExportedAccount) -> Iterator[str]:
    yield '\nlinq.PhoneNumberForwardings(\n    "lines",\n    forwardings={\n'
    yield from map(_entry, account.lines)
    yield "    },\n)\n"


def _entry(line: ExportedLine) -> str:
    return f'        "{line.identity}": "{line.forwarding_number}",  # {line.remark}\n'
