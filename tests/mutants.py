"""One behaviour removed at a time, and the test that must turn red: (claim, file, old, new, test).

Run by `make mutants`; see tools/mutants.py.
"""

from __future__ import annotations

ENGINE = "tests/engine/"

MUTANTS = [
    # The lifecycle's verbs, with the real engine.
    (
        "create writes the declared number",
        "lifecycle.py",
        "            line = self._account.set_forwarding_number(line, number)\n",
        "",
        f"{ENGINE}test_main_job.py",
    ),
    (
        "diff sees a changed number",
        "lifecycle.py",
        "changes = olds.inputs != news",
        "changes = False",
        f"{ENGINE}test_main_job.py",
    ),
    (
        "update writes the new number, not the recorded one",
        "lifecycle.py",
        "return self._settle(line, news, recorded=olds.forwarding_number)",
        "return olds",
        f"{ENGINE}test_main_job.py",
    ),
    (
        "read returns what is live",
        "lifecycle.py",
        "return outputs(line, kept.declared_by, kept.overwrite)",
        "return olds or outputs(line, kept.declared_by, kept.overwrite)",
        f"{ENGINE}test_drift.py::test_a_hand_edit_is_shown_alone_and_healed[number-changed]",
    ),
    (
        "read returns the declared inputs",
        "dynamic.py",
        "inputs = _known(outputs.inputs) if olds else None",
        "inputs = None",
        f"{ENGINE}test_drift.py::test_a_hand_edit_is_shown_alone_and_healed[id-changed]",
    ),
    (
        "delete clears",
        "lifecycle.py",
        '            self._account.set_forwarding_number(line, "")\n',
        "            pass\n",
        f"{ENGINE}test_main_job.py",
    ),
    (
        "delete leaves a declared line alone",
        "lifecycle.py",
        "        if self._declarations.declares(olds.phone_number_id, olds.phone_number):\n            self._notify(",
        "        if False:\n            self._notify(",
        f"{ENGINE}test_rename.py::test_a_line_declared_before_and_after_is_never_written[renamed]",
    ),
    (
        "check refuses somebody else's line",
        "lifecycle.py",
        "            self._refuse_somebody_elses(line, news, recorded)\n        self._refuse_loop",
        "        self._refuse_loop",
        f"{ENGINE}test_preview.py::test_somebody_elses_line_is_refused",
    ),
    (
        "create compares again, whatever check saw",
        "lifecycle.py",
        "        self._refuse_somebody_elses(line, news, recorded)\n        if line.forwarding_number",
        "        if line.forwarding_number",
        f"{ENGINE}test_preview.py::test_without_a_live_check_create_still_compares",
    ),
    (
        "a second holder is refused",
        "lifecycle.py",
        "        line = self._account.require(_text(news.identity))\n        self._declarations.refuse_second_holder(line.id)",
        "        line = self._account.require(_text(news.identity))",
        f"{ENGINE}test_preview.py::test_two_declarations_that_meet_only_in_the_account",
    ),
    (
        "a refreshed old resource holds nothing",
        "lifecycle.py",
        "        if self._declarations.declares(olds.phone_number_id, olds.phone_number):\n            if changes:",
        "        if True:\n            if changes:",
        f"{ENGINE}test_rename.py::test_rename_while_refreshing_first",
    ),
    (
        "an empty list is no answer",
        "account.py",
        "        if not lines:",
        "        if False:",
        f"{ENGINE}test_drift.py::test_what_is_no_answer_is_never_gone",
    ),
    (
        "a plaintext key is refused",
        "dynamic.py",
        "        _refuse_plaintext_key()\n",
        "",
        f"{ENGINE}test_preview.py::test_plaintext_key_is_refused",
    ),
    (
        "the override beats the stored key",
        "config.py",
        '("LINQ_API_KEY_OVERRIDE", self._variable("LINQ_API_KEY_OVERRIDE")),',
        "",
        f"{ENGINE}test_keys.py::test_destroy_after_a_rotation",
    ),
    (
        "an explicit provider inherits nothing",
        "config.py",
        "return None if self.config.get(EXPLICIT) else self.environ.get(name)",
        "return self.environ.get(name)",
        f"{ENGINE}test_keys.py::test_two_accounts",
    ),
    (
        "our errors print without a traceback",
        "host.py",
        "    host.traceback = _PlainTraceback  # type: ignore[attr-defined]\n",
        "",
        f"{ENGINE}test_failures.py::test_failing_create_update_delete",
    ),
    (
        "one list is shared",
        "account.py",
        "now - self._snapshot.taken_at < FRESH",
        "False",
        f"{ENGINE}test_preview.py::test_a_hundred_new_lines",
    ),
]
