"""An exported account as the text of a roster, in YAML or CSV."""

import csv
import io
import re

from linq_provider.cli.exported import ExportedAccount
from linq_provider.core.roster_csv import NOT_FORWARDED
from linq_provider.errors import plain

HEAD = """\
# Where calls to the lines of a Linq account are forwarded: {summary}.
#
# Written by `linq-provider export` from the live account. In a Pulumi program:
#
#     import linq_provider as linq
#
#     linq.ForwardingRoster("lines", file="{file}")
#
# `pulumi up` adopts the lines as they are and writes nothing. "" declares: not forwarded.
# A line that is taken out of this file later is cleared.
"""
HEAD_OF_NOTHING = """\
# There is nothing to declare: `linq-provider export` found no line that can be declared.
# Pulumi refuses a roster without lines, because it would silence every line of a fleet.
"""


def roster_text(account: ExportedAccount, *, file: str) -> str:
    """A complete roster, whose comment says how a program uses it under the name `file`."""
    head = HEAD.format(summary=account.summary, file=plain(file)) if account.lines else HEAD_OF_NOTHING
    left_out = [f"# {line}\n" for line in account.left_out]
    if left_out:
        left_out.insert(0, "#\n# Left out, because they cannot be declared as they are:\n")
    entries = [f'"{line.identity}": "{line.forwarding_number}"  # {line.remark}\n' for line in account.lines]
    return "".join([head, *left_out, *entries])


def csv_text(account: ExportedAccount) -> str:
    """A complete roster for a spreadsheet; the last two columns are for its readers only."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("line", "forwarding_number", "type", "id"))
    for line in account.lines:
        kind = re.sub(r"^[=+@-]+", "", line.line_type)  # the server's word must be no formula
        rows.writerow((line.identity, line.forwarding_number or NOT_FORWARDED, kind, line.phone_number_id))
    return text.getvalue()
