"""One behaviour removed at a time, and the test that must turn red: file -> claim -> (old, new, test).

Run by `make mutants`; see tools/mutants.py.
"""

from __future__ import annotations

ACCOUNT = "tests/unit/core/test_account.py::"
ANSWERS = "tests/unit/api/test_answers.py::"
CHAINS = "tests/unit/api/test_exception_chains.py"
CLI = "tests/unit/cli/"
CLIENT = "tests/unit/api/test_client.py::"
CLIENT_ANSWERS = "tests/unit/api/test_client_answers.py::"
CLIENT_DEADLINE = "tests/unit/api/test_client_deadline.py::"
CLIENT_RETRIES = "tests/unit/api/test_client_retries.py::"
CLIENT_THREADS = "tests/unit/api/test_client_threads.py::"
CLIENT_WRITES = "tests/unit/api/test_client_writes.py::"
CONFIG = "tests/unit/test_config.py::"
DECLARATIONS = "tests/unit/core/test_declarations.py::"
DESTINATIONS = "tests/unit/core/test_destinations.py::"
E164 = "tests/unit/core/test_e164.py::"
EMULATOR = "tests/unit/emulator/test_emulator"
ENGINE = "tests/engine/"
ERRORS = "tests/unit/test_errors.py::"
FLEET = "tests/unit/core/test_fleet.py::"
GUARD = "tests/unit/core/test_destination_guard.py::"
HOSTILE = "tests/unit/api/test_hostile_answers.py::"
LAG = "tests/unit/core/test_lifecycle_lag.py::"
RESTORE = "tests/unit/core/test_restore.py::"
SILENCE = "tests/unit/api/test_client_silence.py::"
TRANSPORT = "tests/unit/api/test_transport.py::"
TRANSPORT_DEADLINE = "tests/unit/api/test_transport_deadline.py::"
TRANSPORT_NETWORK = "tests/unit/api/test_transport_network.py::"

MUTANTS = {
    "api/answers.py": {
        "row 02: an HTTP date is read": (
            '            seconds = _until(value, headers.get("date"))\n',
            "            seconds = None\n",
            f"{CLIENT_RETRIES}test_row_02_a_date_is_waited_for",
        ),
        "row 02: a date in the past makes nobody wait": (
            "return max(0.0, (moment - now).total_seconds())",
            "return abs((moment - now).total_seconds())",
            f"{CLIENT_RETRIES}test_row_02_a_date_in_the_past_is_backed_off",
        ),
        "row 03: what is no number of seconds counts as absent": (
            "    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):\n        return None\n",
            "",
            f"{CLIENT_RETRIES}test_row_03_an_unusable_retry_after_is_backed_off",
        ),
        "row 03: a wait is finite": (
            "return seconds if math.isfinite(seconds) and seconds >= 0 else None",
            "return seconds",
            f"{ANSWERS}test_row_03_garbage_counts_as_absent",
        ),
        "row 03: retry_after in the body is honoured": (
            '(headers.get("retry-after"), from_body)',
            '(headers.get("retry-after"),)',
            f"{CLIENT_RETRIES}test_row_03_retry_after_in_the_body_alone_is_honoured",
        ),
        "row 06: a message repeats nothing of an HTML page": (
            "_without_json(answer), secrets)",
            "plain(answer.body.decode()), secrets)",
            f"{CLIENT_RETRIES}test_row_06_5_mb_of_html_become_one_plain_sentence",
        ),
        "row 07: success:false is no success": (
            'payload.get("success", True) is True and not payload.get("error")',
            "True",
            f"{ANSWERS}test_row_07_a_body_of_another_shape_is_a_typed_error",
        ),
        "row 07: a key that stands twice is no JSON": (
            "    if len(value) != len(pairs):\n",
            "    if False:\n",
            f"{CLIENT_ANSWERS}test_row_07_a_list_of_another_shape_is_a_typed_error_after_one_request",
        ),
        "row 14: a 401 says where the key came from": (
            'f"The key came from {settings.api_key_source}. {',
            'f"{',
            f"{CLIENT}test_row_14_a_wrong_key_is_told_with_its_source_after_one_request",
        ),
        "row 15: a list with a malformed line is malformed": (
            'lines = [phone_number_from({"forwarding_number": None, **row}, request) for row in rows]',
            'lines = [phone_number_from({"forwarding_number": None, **row}, request) for row in rows if row.get("id")]',
            f"{ANSWERS}test_row_15_a_line_of_another_shape_is_an_error",
        ),
        "row 07: one line twice is no list": (
            "        if count > 1:\n",
            "        if False:\n",
            f"{CLIENT_ANSWERS}test_row_07_one_line_twice_is_no_list",
        ),
        "an id is a UUID": (
            "    if not is_uuid(identity):\n",
            "    if False:\n",
            f"{HOSTILE}test_an_id_that_is_no_uuid_makes_the_answer_malformed",
        ),
        "a number holds nothing that could write beyond its place": (
            "        if not _is_harmless(text):\n",
            "        if False:\n",
            f"{HOSTILE}test_a_number_that_could_write_beyond_its_place_makes_the_answer_malformed",
        ),
        "a list in which no row has a forwarding_number is malformed": (
            'if rows and not any("forwarding_number" in row for row in rows):',
            "if False:",
            f"{HOSTILE}test_a_list_in_which_no_row_has_forwarding_number_is_malformed",
        ),
        "what a server wrote has no backtick": (
            """.replace("`", "'")""",
            "",
            f"{HOSTILE}test_what_an_error_says_stays_in_its_place",
        ),
        "row 02: a date is compared with that of the answer": (
            '_moment(answered_at or "") or ',
            "",
            f"{ANSWERS}test_row_02_a_date_is_compared_with_the_clock_of_the_server",
        ),
        "row 26: no answer is behind an exception": (
            "        invalid = invalid_answer(request, str(error), truncated=error.truncated)\n",
            "        raise invalid_answer(request, str(error), truncated=error.truncated) from None\n",
            CHAINS,
        ),
        "a 401 of the environment says nothing about stacks": (
            '}.get(source, "Give a valid one.")',
            '}["linq:apiKey"]',
            "tests/unit/api/test_answers.py::test_a_401_of_another_key_says_nothing_about_stacks",
        ),
    },
    "api/client.py": {
        "row 04: no wait goes beyond the deadline": (
            "Call(method, path, self._clock, deadline, self._settings.max_retries)",
            "Call(method, path, self._clock, deadline + 3600, self._settings.max_retries)",
            f"{CLIENT_RETRIES}test_row_04_429_for_ever_ends_before_the_deadline_and_tells_everything",
        ),
        "row 07: 200 is the only success": (
            "if answer.status_code != 200:",
            "if not 200 <= answer.status_code < 300:",
            f"{CLIENT_ANSWERS}test_row_07_a_success_other_than_200_is_looked_up",
        ),
        "row 08: the answer to a write is compared with it": (
            "if (line.id, line.forwarding_number) != (phone_number_id.lower(), forwarding_number):",
            "if False:",
            f"{CLIENT_WRITES}test_row_08_an_answer_about_something_else_is_verified",
        ),
        "row 08: the look after a write compares too": (
            "if line is not None and line.forwarding_number == forwarding_number:",
            "if line is not None:",
            f"{CLIENT_WRITES}test_row_08_an_answer_about_something_else_is_verified",
        ),
        "row 09: after a write whose outcome is unknown a read decides": (
            "in_doubt = call.in_doubt or leaves_doubt(error)",
            "in_doubt = False",
            f"{CLIENT_WRITES}test_row_09_reset_after_apply_is_success_when_the_list_shows_it",
        ),
        "row 10: a call on a connection that was closed meanwhile is tried again": (
            "retry=retry_if_exception(is_transient)",
            "retry=retry_if_exception(lambda e: is_transient(e) and isinstance(e, APIError))",
            f"{CLIENT_WRITES}test_row_10_stale_keep_alive_connections_are_never_seen",
        ),
        "row 11: an attempt has only the time that is left": (
            "seconds=max(call.seconds_left, 0.001),",
            "seconds=self._settings.timeout,",
            f"{CLIENT_DEADLINE}test_row_11_a_later_attempt_has_only_the_time_that_is_left",
        ),
        "row 11: time is kept for finding out what became of a write": (
            "deadline - self._reserve)",
            "deadline)",
            f"{CLIENT_DEADLINE}test_row_11_a_write_that_timed_out_and_was_applied_is_success",
        ),
        "row 20: a 429 pauses all threads": (
            "            self._paused_until = max(self._paused_until, self._clock() + seconds)\n",
            "            pass\n",
            f"{CLIENT_THREADS}test_row_20_a_429_in_one_thread_pauses_all_threads",
        ),
        "row 28: an id is looked at to its last character": (
            "_SAFE_ID.fullmatch(phone_number_id)",
            "_SAFE_ID.match(phone_number_id)",
            f"{CLIENT}test_row_28_an_id_that_could_change_the_path_is_refused",
        ),
        "row 28: an id is looked at": (
            "if not _SAFE_ID.fullmatch(phone_number_id):",
            "if False:",
            f"{CLIENT}test_row_28_only_ids_of_letters_digits_dash_and_underscore_reach_the_server",
        ),
        "a 429 lowers the number of requests under way": (
            "                self._limit.refused(began)\n",
            "",
            "tests/unit/api/test_limit.py::test_a_client_sends_half_as_many_at_a_time_after_a_429",
        ),
        "row 20: the pause is looked at again before a request is sent": (
            "            if self._paused_until <= self._clock():\n",
            "            if True:\n",
            "tests/unit/api/test_limit.py::test_a_request_that_waited_for_another_one_waits_for_its_429_too",
        ),
        "row 05: up, refresh and destroy survive two server errors": (
            "retry=retry_if_exception(is_transient)",
            "retry=retry_if_exception(lambda e: is_transient(e) and not isinstance(e, APIError))",
            f"{ENGINE}test_rows.py::test_row_05_a_server_that_fails_twice",
        ),
        "row 09: an error says that the write may have been applied": (
            "error.may_be_applied, error.next_step = True, MAY_BE_APPLIED",
            "pass",
            f"{ENGINE}test_toxiproxy.py::test_row_09_the_answer_to_a_write_is_lost[reset]",
        ),
        "row 24: a fleet needs the retries": (
            "retry=retry_if_exception(is_transient)",
            "retry=retry_if_exception(lambda e: False)",
            f"{ENGINE}test_rows.py::test_row_24_a_fleet_under_faults",
        ),
        "row 20: the longest pause counts": (
            "max(self._paused_until, self._clock() + seconds)",
            "self._clock() + seconds",
            f"{CLIENT_THREADS}test_row_20_a_shorter_429_does_not_shorten_the_pause",
        ),
        "row 20: a pause ends with the deadline": (
            "min(self._paused_until - self._clock(), call.seconds_left)",
            "self._paused_until - self._clock()",
            f"{CLIENT_THREADS}test_row_20_a_pause_never_outlasts_the_deadline",
        ),
        "row 20: the last 429 pauses the others, too": (
            "                self._pause(error.retry_after or 0.0)\n",
            "                pass\n",
            f"{CLIENT_THREADS}test_row_20_the_last_429_pauses_the_others_too",
        ),
        "conflicts do not add attempts": (
            " or call.attempts > self._settings.max_retries\n",
            "\n",
            f"{CLIENT_WRITES}test_conflicts_and_errors_share_the_attempts",
        ),
        "a host that was never reached is given up": (
            "                call.deadline = min(call.deadline, call.began + UNREACHED)\n",
            "                pass\n",
            f"{SILENCE}test_a_host_that_refuses_is_given_up_within_15_seconds",
        ),
        "a host that was reached has all the time": (
            "        self._reached = True\n",
            "",
            f"{SILENCE}test_a_host_that_answered_before_has_all_the_time",
        ),
    },
    "api/deadline.py": {
        "row 11: the deadline shuts the socket": (
            "                    socket.socket.shutdown(sock, socket.SHUT_RDWR)\n",
            "                    pass\n",
            f"{TRANSPORT_DEADLINE}test_row_11_an_answer_that_never_ends_ends_at_the_deadline[headers-drip]",
        ),
        "row 11: a connection of 1 kB/s ends at the deadline": (
            "                    socket.socket.shutdown(sock, socket.SHUT_RDWR)\n",
            "                    pass\n",
            f"{ENGINE}test_toxiproxy.py::test_row_11_a_dead_connection_ends_in_time",
        ),
        "a look-up ends in time": (
            "found.get(timeout=seconds)",
            "found.get(timeout=20)",
            f"{SILENCE}test_a_look_up_that_hangs_is_given_up_too",
        ),
        "all addresses of a host share the time": (
            "watchdog.connect_seconds / addresses",
            "watchdog.connect_seconds",
            f"{SILENCE}test_many_addresses_that_swallow_everything_share_the_time",
        ),
        "a message says what the provider is waiting for": (
            "            self._tell()\n",
            "            pass\n",
            f"{SILENCE}test_an_answer_that_does_not_come_is_told_while_it_is_waited_for",
        ),
        "row 11: no watch outlives its exchange": (
            "        self._over.set()\n",
            "",
            f"{TRANSPORT_DEADLINE}test_row_11_a_watch_ends_with_a_late_answer",
        ),
        "row 11: nobody acts on an exchange that is over": (
            "            self._watchdogs.discard(watchdog)\n",
            "            pass\n",
            f"{TRANSPORT_DEADLINE}test_row_11_an_exchange_in_time_starts_no_thread",
        ),
        "row 11: the earliest deadline wakes the watch": (
            "                self._changed.notify()\n",
            "                pass\n",
            f"{TRANSPORT_DEADLINE}test_row_11_the_earliest_deadline_of_all_threads_holds",
        ),
        "row 11: a forked process has a watch too": (
            "    os.register_at_fork(after_in_child=_rounds.start_over)\n",
            "    pass\n",
            f"{TRANSPORT_DEADLINE}test_row_11_the_deadline_holds_after_a_fork",
        ),
        "row 11: the socket of an answer without a length is known": (
            "watchdog.answering = self.sock",
            "watchdog.answering = None",
            f"{TRANSPORT_DEADLINE}test_row_11_an_answer_that_never_ends_ends_at_the_deadline",
        ),
    },
    "api/notices.py": {
        "many calls that wait share one message": (
            "if self._told_at is not None and now < self._told_at + TELL_EVERY:",
            "if False:",
            f"{SILENCE}test_long_waits_are_told_again_and_not_for_every_call",
        ),
    },
    "api/retries.py": {
        "row 01: Retry-After is waited for": (
            "            return asked * random.uniform(1.0, 1.05)  # never early, and not all threads at once\n",
            "            pass\n",
            f"{CLIENT_RETRIES}test_row_01_retry_after_is_waited_for_and_hardly_longer",
        ),
        "row 01: hardly longer than asked": (
            "asked * random.uniform(1.0, 1.05)",
            "asked * random.uniform(1.5, 2.0)",
            f"{CLIENT_RETRIES}test_row_01_retry_after_is_waited_for_and_hardly_longer",
        ),
        "row 02: a wait of more than a minute fails at once": (
            "if asked <= LONGEST_WAIT and state.upcoming_sleep",
            "if state.upcoming_sleep",
            f"{CLIENT_RETRIES}test_row_02_a_wait_of_more_than_a_minute_fails_at_once_and_is_named",
        ),
        "row 04: attempts are counted": (
            "return self.attempts > self.max_retries",
            "return False",
            f"{CLIENT_RETRIES}test_row_04_429_for_ever_ends_before_the_deadline_and_tells_everything",
        ),
        "row 05: a server error is tried again": (
            "return isinstance(error, InternalServerError) or error.status_code in _RETRIED",
            "return error.status_code in _RETRIED",
            f"{CLIENT_RETRIES}test_row_05_two_server_errors_and_then_success_are_success",
        ),
        "row 05: the backoff doubles": (
            "BACKOFF_BASE * 2 ** (state.attempt_number - 1)",
            "BACKOFF_BASE",
            f"{CLIENT_RETRIES}test_row_05_the_backoff_doubles_up_to_30_seconds_with_full_jitter",
        ),
        "row 05: the backoff is jittered from zero": (
            "random.uniform(0, min(BACKOFF_CAP,",
            "max(0, min(BACKOFF_CAP,",
            f"{CLIENT_RETRIES}test_row_05_the_backoff_doubles_up_to_30_seconds_with_full_jitter",
        ),
        "row 07: a truncated answer is asked for again": (
            "        return error.truncated\n",
            "        return False\n",
            f"{CLIENT_ANSWERS}test_row_07_a_truncated_list_is_asked_for_again",
        ),
        "row 09: a lost connection is tried again": (
            'can help."""\n    if isinstance(error, APIConnectionError):\n        return error.transient\n',
            'can help."""\n    if isinstance(error, APIConnectionError):\n        return False\n',
            f"{CLIENT_WRITES}test_row_09_a_write_survives_one_lost_answer",
        ),
        "row 09: an earlier attempt's doubt is not forgotten": (
            "        self.in_doubt |= leaves_doubt(error)\n",
            "",
            f"{CLIENT_WRITES}test_row_09_reset_after_apply_is_not_forgotten_behind_a_definite_answer",
        ),
        "row 14: a definite error is one request": (
            "return isinstance(error, InternalServerError) or error.status_code in _RETRIED",
            "return True",
            f"{CLIENT}test_row_14_definite_errors_are_one_request",
        ),
        "row 14: a refused write is asked once": (
            "_RETRIED = frozenset({408, 425, 429})",
            "_RETRIED = frozenset({404, 408, 425, 429})",
            f"{ENGINE}test_rows.py::test_row_14_a_refused_write_is_asked_once",
        ),
        "row 09: a 408 leaves doubt": (
            "error.status_code == 408",
            "False",
            f"{CLIENT_WRITES}test_row_09_a_408_leaves_doubt",
        ),
        "what was never sent leaves no doubt": (
            "return error.transient and not error.unreachable",
            "return error.transient",
            f"{SILENCE}test_a_write_to_a_host_that_refuses_is_given_up_within_15_seconds",
        ),
    },
    "api/transport.py": {
        "row 06: of an error page only the beginning is read": (
            '                        problem = f"an answer larger than {max_bytes} bytes"\n                        break\n',
            '                        problem = f"an answer larger than {max_bytes} bytes"\n',
            f"{TRANSPORT}test_row_06_of_an_error_page_only_the_beginning_is_read",
        ),
        "row 12: certificates are verified": (
            'os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True',
            "False",
            f"{TRANSPORT_NETWORK}test_row_12_an_unknown_authority_is_refused_in_one_attempt",
        ),
        "row 12: a refused certificate is one attempt": (
            "if tls is not None and isinstance(error, SSLError) and not ended:",
            "if False:",
            f"{TRANSPORT_NETWORK}test_row_12_a_certificate_that_does_not_fit_is_refused_in_one_attempt",
        ),
        "row 13: a redirect is not followed": (
            "            retries=False,\n            redirect=False,\n",
            "            retries=3,\n",
            f"{CLIENT}test_row_13_a_redirect_is_an_error_that_names_the_host",
        ),
        "row 13: a redirect's address is left alone": (
            "        ) as response:\n            content",
            "        ) as response:\n            urlsplit(response.headers.get('location', ''))\n            content",
            f"{TRANSPORT}test_row_13_a_redirect_to_no_address_is_still_an_answer",
        ),
        "row 20: a thread keeps one connection": (
            "        if connected is None:\n",
            "        if True:\n",
            f"{CLIENT_THREADS}test_row_20_50_threads_share_one_client_without_mixing",
        ),
        "row 20: a thread has a session of its own": (
            "        self._local = threading.local()\n",
            '        self._local = type("Shared", (), {})()\n',
            f"{TRANSPORT}test_row_20_each_thread_keeps_one_connection_alive",
        ),
        "row 30: loopback goes through no proxy": (
            "return {} if _is_loopback(base_url) else requests.utils.get_environ_proxies(base_url)",
            "return requests.utils.get_environ_proxies(base_url)",
            f"{TRANSPORT_NETWORK}test_row_30_loopback_never_goes_through_a_proxy",
        ),
        "row 30: HTTPS_PROXY and NO_PROXY are read": (
            "self._proxies = _proxies_of(base_url)",
            "self._proxies: dict[str, str] = {}",
            f"{TRANSPORT_NETWORK}test_row_30_no_proxy_is_honoured",
        ),
        "row 20: a write is not repeated below the client": (
            "            retries=False,\n",
            "            retries=3,\n",
            f"{TRANSPORT}test_a_connection_that_ends_without_an_answer_is_transient_and_says_so_plainly",
        ),
        "row 30: netrc does not replace the key": (
            '"Authorization": f"Bearer {api_key}",',
            '"Authorization": str(requests.utils.get_netrc_auth(base_url)),',
            f"{TRANSPORT}test_row_30_netrc_is_ignored",
        ),
        "a request never changes the environment": (
            "return {} if _is_loopback(base_url) else requests.utils.get_environ_proxies(base_url)",
            'return requests.utils.get_environ_proxies(base_url, no_proxy="*" if _is_loopback(base_url) else None)',
            f"{TRANSPORT_NETWORK}test_a_request_never_changes_the_environment",
        ),
        "row 30: a proxy's login is asked for once": (
            'if any("Tunnel connection failed: 407" in str(cause) for cause in causes):',
            "if False:",
            f"{TRANSPORT_NETWORK}test_row_30_a_proxy_that_asks_for_a_login_is_asked_once",
        ),
        "a body that stops coming is a timeout": (
            "return isinstance(cause, TimedOut) and not isinstance(cause, NewConnectionError)",
            "return False",
            f"{TRANSPORT_DEADLINE}test_row_11_silence_is_told_as_a_timeout",
        ),
        "no other encoding than the one that was asked for": (
            'not in ("", "identity", ENCODING)',
            'in ("never",)',
            "tests/unit/api/test_bounds.py",
        ),
        "row 26: no request is behind an exception": (
            '                failure = self._translated(error, f"{method} {path}", timed_out=watchdog.expired)\n',
            '                raise self._translated(error, f"{method} {path}", timed_out=watchdog.expired) from None\n',
            CHAINS,
        ),
    },
    "cli/commands.py": {
        "wrong usage ends with one mark": (
            "said if said.endswith(('.', '?')) else",
            "said if said.endswith('.') else",
            f"{CLI}test_commands.py::test_wrong_usage_ends_with_one_mark",
        ),
    },
    "cli/export.py": {
        "export says what it wrote": (
            "        say(f\"{'Program' if",
            "        str(f\"{'Program' if",
            f"{CLI}test_export.py::test_the_name_of_the_file_decides",
        ),
    },
    "cli/init.py": {
        "init changes no file": (
            "    if existing:\n",
            "    if False:\n",
            f"{CLI}test_init.py::test_no_file_is_changed",
        ),
        "init writes every file or none": (
            "                path.unlink()\n",
            "                pass\n",
            f"{CLI}test_init.py::test_every_file_or_none",
        ),
    },
    "cli/machine.py": {
        "doctor says how to activate the environment": (
            "    if activate.is_file():\n",
            "    if False:\n",
            f"{CLI}test_doctor.py::test_a_forgotten_virtual_environment",
        ),
    },
    "cli/numbers.py": {
        "--forwarded leaves out lines that are not forwarded": (
            "(line.forwarding_number or not forwarded)",
            "True",
            f"{CLI}test_numbers.py::test_some_of_them",
        ),
        "--search finds a number however it is written": (
            r're.sub(r"[\s().-]", "", text).lower()',
            "text",
            f"{CLI}test_numbers.py::test_some_of_them",
        ),
    },
    "cli/output.py": {
        "doctor says what it is waiting for": (
            'with working(f"Checking: {name}"):',
            "with nullcontext():",
            f"{CLI}test_process.py::test_everything_that_may_be_slow_is_named",
        ),
    },
    "cli/plugin.py": {
        "doctor sees a plugin whose Python is gone": (
            "if not python.exists():",
            "if False:",
            "tests/unit/cli/test_doctor.py::test_a_python_project_with_the_native_plugin",
        ),
    },
    "config.py": {
        "a key of the environment does not go where only a stack says": (
            'if api_key_source in ENVIRONMENT_KEYS and base_url_source == "linq:baseUrl":',
            "if False:",
            "tests/unit/test_environment_key.py::test_an_environment_key_is_not_sent_where_the_configuration_says",
        ),
        "row 27: a key holds printable ASCII only": (
            'if not all("!" <= character <= "~" for character in text):',
            "if False:",
            f"{CONFIG}test_row_27_a_key_that_cannot_be_one_is_refused_and_never_repeated",
        ),
        "row 27: a key has a length": (
            "if len(text) > MAX_KEY_LENGTH:",
            "if False:",
            f"{CONFIG}test_row_27_a_key_that_cannot_be_one_is_refused_and_never_repeated",
        ),
        "row 27: a refused key is not repeated": (
            'raise ConfigurationError(f"{name} {error}.") from None',
            'raise ConfigurationError(f"{name} {error}: {value}") from None',
            f"{CONFIG}test_row_27_a_key_that_cannot_be_one_is_refused_and_never_repeated",
        ),
        "row 30: http:// is for this machine only": (
            'if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK_HOSTS):',
            'if parts.scheme not in ("http", "https"):',
            f"{CONFIG}test_row_30_any_other_base_url_is_refused",
        ),
        "row 34: the override beats the stored key": (
            '("LINQ_API_KEY_OVERRIDE", self._variable("LINQ_API_KEY_OVERRIDE")),',
            "",
            f"{ENGINE}test_keys.py::test_destroy_after_a_rotation",
        ),
        "an explicit provider inherits nothing": (
            "return None if self.config.get(EXPLICIT) else self.environ.get(name)",
            "return self.environ.get(name)",
            f"{ENGINE}test_keys.py::test_two_accounts",
        ),
        "destinations: a number has to pass both settings": (
            "    found = ((name, configured.get(key)), (variable, environ.get(variable)))\n",
            "    found = ((name, configured.get(key) or environ.get(variable)),)\n",
            f"{DESTINATIONS}test_a_number_has_to_pass_both_settings",
        ),
        "an empty key says the next step": (
            "next_step=self._how_to_set(name)",
            'next_step=""',
            f"{CONFIG}test_an_empty_key_says_the_next_step",
        ),
    },
    "core/account.py": {
        "row 15: an empty list is asked for again": (
            "    return lines or client.list_phone_numbers()\n",
            "    return lines\n",
            "tests/unit/core/test_account.py::test_one_wrong_list_is_asked_again",
        ),
        "row 15: an empty list twice is an error": (
            "    if lines := list_lines(client):\n",
            "    if (lines := list_lines(client)) is not None:\n",
            "tests/unit/core/test_account.py::test_an_empty_list_twice_is_an_error",
        ),
        "an empty list is no answer": (
            "    if lines := list_lines(client):",
            "    if (lines := list_lines(client)) is not None:",
            f"{ENGINE}test_drift.py::test_what_is_no_answer_is_never_gone",
        ),
        "one list is shared": (
            "self._snapshot.taken_at > max(now - FRESH, self._doubted_at)",
            "False",
            f"{ENGINE}test_preview.py::test_a_hundred_new_lines",
        ),
        "row 15: a list that says nothing is asked for again": (
            "    return lines or client.list_phone_numbers()\n",
            "    return lines\n",
            f"{ENGINE}test_rows.py::test_row_15_a_list_that_says_nothing_is_asked_for_again[dynamic-empty-list]",
        ),
        "the recorded number counts under another name too": (
            "return (identity, *self.names_of(line)) if line else (identity,)",
            "return (identity,)",
            f"{FLEET}test_another_name_for_a_recorded_line_is_no_new_line",
        ),
        "a write in doubt makes the list stale": (
            "                self._doubted_at = self._clock()\n",
            "                pass\n",
            "tests/unit/core/test_account.py::test_after_a_write_in_doubt_the_list_is_asked_for_again",
        ),
        "a list that contradicts the state is asked for again": (
            "            if expected(line) or unchanged >= sum(ASKED_AGAIN):\n",
            "            if True:\n",
            f"{ACCOUNT}test_a_line_that_comes_back_is_not_gone",
        ),
        "twice: after one second and after three": (
            "ASKED_AGAIN = (1.0, 3.0)",
            "ASKED_AGAIN = (1.0, 0.0)",
            f"{ACCOUNT}test_a_line_that_stays_away_is_gone",
        ),
        "asking ends where the line is as recorded": (
            "            if expected(line) or unchanged",
            "            if unchanged",
            f"{ACCOUNT}test_what_is_as_recorded_costs_one_list",
        ),
        "who comes later shares what was confirmed": (
            " or unchanged >= sum(ASKED_AGAIN)",
            "",
            f"{ACCOUNT}test_a_thousand_surprises_cost_two_more_lists",
        ),
        "who comes meanwhile shares the list": (
            "            if self._snapshot is not last:\n                return\n",
            "",
            f"{ACCOUNT}test_a_thousand_surprises_cost_two_more_lists",
        ),
        "from when on a line is as it is counts for each line": (
            "            self.since[identity] = since if unchanged else self.since.get(identity, self.taken_at)",
            "            self.since[identity] = since",
            f"{ACCOUNT}test_a_surprise_in_a_later_list_is_asked_for_again",
        ),
        "an own write is believed for some seconds": (
            "if written_at > taken_at - LAG:",
            "if written_at >= taken_at:",
            f"{ACCOUNT}test_an_own_write_is_believed_for_5_seconds",
        ),
        "an own write is believed for no longer": (
            "if written_at > taken_at - LAG:",
            "if True:",
            f"{ACCOUNT}test_an_own_write_is_believed_for_5_seconds",
        ),
        "one number under two ids is refused by number": (
            "        if len(found) > 1:\n",
            "        if False:\n",
            f"{LAG}test_one_number_under_two_ids",
        ),
        "one number under two ids is no name of either": (
            "return (line.id,) if is_shared else",
            "return (line.id, line.phone_number) if is_shared else",
            f"{LAG}test_one_number_under_two_ids",
        ),
        "a surprise of another kind is a new one": (
            "        for _ in range(LISTS):\n",
            "        for _ in range(3):\n",
            f"{ACCOUNT}test_a_surprise_of_another_kind_is_a_new_one",
        ),
        "a list decides nothing alone": (
            "            if expected(line) or unchanged >= sum(ASKED_AGAIN):\n",
            "            if True:\n",
            "tests/unit/tools/test_soak_lists.py::test_a_hundred_operations",
        ),
        "a failed write names the number and the id": (
            'f"{line.id} ({line.phone_number})", 1)',
            "line.id, 1)",
            f"{ACCOUNT}test_a_failed_write_names_the_number_and_the_id",
        ),
    },
    "core/concurrency.py": {
        "an outage ends the run": (
            "self._broken |= self._in_a_row >= self._allowed or isinstance(error, AuthenticationError)",
            "pass",
            "tests/unit/core/test_concurrency.py::test_a_service_that_is_down_stops_them_all",
        ),
        "a refused line ends no run": (
            "    if isinstance(error, RefusedError):\n        return False\n",
            "",
            "tests/unit/core/test_concurrency.py::test_failures_of_single_lines_never_stop_a_run",
        ),
        "a service that is down ends the calls in turn too": (
            "            breaker.attempt(call)\n        except LinqError as error:\n",
            "            call()\n        except LinqError as error:\n",
            "tests/unit/core/test_concurrency.py::test_a_service_that_is_down_stops_them_all",
        ),
    },
    "core/declarations.py": {
        "a second holder is refused": (
            "        taken = any(line.claim != token for line in lines.values())\n",
            "        taken = False\n",
            "tests/unit/core/test_lifecycle.py::test_a_second_create_of_one_line_is_refused",
        ),
        "a line is not looked at while it is being cleared": (
            "            over.wait()\n",
            "            pass\n",
            f"{FLEET}test_who_declares_a_line_waits_for_its_clear",
        ),
        "a fleet that failed may try again": (
            "line.failed, line.owned, line.claim = True, False, None",
            "line.failed, line.owned = True, False",
            f"{FLEET}test_a_fleet_that_failed_may_try_again",
        ),
        "an owner that was never tried is lost": (
            "        lost = untried or any(",
            "        lost = any(",
            "tests/unit/core/test_declarations.py::test_an_owner_that_no_state_will_have_is_lost",
        ),
        "row 41: an interrupted replacement may create anew": (
            "        if taken or any(line.declared and line.owned for name, line in lines.items() if name != declared_as):\n",
            "        if taken or any(line.owned for line in lines.values()):\n",
            "tests/unit/core/test_declarations.py::test_a_replacement_of_an_unchanged_resource_takes_its_line",
        ),
        "events of others are read again after a block without": (
            "            self._paused.reads = False\n",
            "            pass\n",
            f"{DECLARATIONS}test_the_events_of_others_are_read_again_after_a_block_without",
        ),
        "an own event is read at once": (
            "            self._apply(self._log.exchange([kind, list(names), *values]))\n",
            "            self._log.exchange([kind, list(names), *values])\n            self._catch_up()\n",
            f"{DECLARATIONS}test_the_events_of_others_are_read_again_after_a_block_without",
        ),
    },
    "core/destination_guard.py": {
        "destinations: a number of the state stays usable": (
            "        if number == olds.forwarding_number:\n",
            "        if False:\n",
            f"{GUARD}test_a_number_of_the_state_stays_usable_and_is_counted",
        ),
        "restore: where calls may not go is said": (
            "return None if not number or e164_problem(number) else self._destinations.problem(number)",
            "return None",
            f"{RESTORE}test_giving_back_is_no_new_declaration",
        ),
    },
    "core/destinations.py": {
        "destinations: premium rate is refused": (
            "        if not unlifted or (facts.dialable and not facts.premium_rate):\n",
            "        if not unlifted or facts.dialable:\n",
            f"{DESTINATIONS}test_premium_rate_is_allowed_by_nothing_that_could_mean_something_else",
        ),
        "destinations: a wrong length is refused": (
            "dialable=possible and as_written,",
            "dialable=True,",
            f"{DESTINATIONS}test_a_length_that_its_country_does_not_have_is_refused",
        ),
        "destinations: the 0 that is dialled inside of a country is one digit too much": (
            "dialable=possible and as_written,",
            "dialable=possible,",
            f"{DESTINATIONS}test_a_length_that_its_country_does_not_have_is_refused",
        ),
        "destinations: a country is more than its country code": (
            "entry in (ANYWHERE, facts.region)",
            "entry in (ANYWHERE, facts.region, _main_region(facts.country_code))",
            f"{DESTINATIONS}test_calls_may_go_where_the_setting_says",
        ),
        "destinations: a prefix as short as the country code allows no premium rate": (
            "len(entry) > len(code)",
            "len(entry) >= len(code)",
            f"{DESTINATIONS}test_premium_rate_is_allowed_by_nothing_that_could_mean_something_else",
        ),
    },
    "core/e164.py": {
        "row 29: a number is looked at to its last character": (
            "    if _E164.fullmatch(text):\n",
            '    if re.match(r"^\\+[1-9]\\d{1,14}$", text, re.ASCII):\n',
            f"{E164}test_row_29_look_alikes_are_refused",
        ),
        "row 29: digits of other scripts are none": (
            '_E164 = re.compile(r"\\+[1-9]\\d{1,14}", re.ASCII)',
            '_E164 = re.compile(r"\\+[1-9]\\d{1,14}")',
            f"{E164}test_row_29_look_alikes_are_refused",
        ),
        "rosters: ten digits are no country code and a number": (
            r'        r"\d{10}",',
            '        "never",',
            f"{E164}test_a_number_without_plus_is_never_only_told_to_put_it",
        ),
    },
    "core/fleet.py": {
        "restore: a fleet remembers each line under any name": (
            "remembered = olds.replaced(line, now.id, now.phone_number)",
            "remembered = olds.replaced(line)",
            f"{RESTORE}test_a_fleet_that_names_a_line_otherwise_still_remembers",
        ),
        "restore: a fleet gives each line back": (
            "                replaced_number=olds.replaced(line),\n",
            "",
            f"{RESTORE}test_a_fleet_gives_back",
        ),
        "restore: a fleet forgets a line that is gone": (
            "for line, number in (olds.replaced_numbers or {}).items() if line in numbers}",
            "for line, number in (olds.replaced_numbers or {}).items()}",
            f"{RESTORE}test_a_fleet_remembers_for_each_line",
        ),
        "restore: a native fleet that failed in part remembers": (
            "        return Fleet(error.forwardings, applied_numbers=applied or None, replaced_numbers=replaced or None)",
            "        return Fleet(error.forwardings, applied_numbers=applied or None)",
            f"{ENGINE}test_restore.py::test_the_native_package",
        ),
        "a fleet asks nothing where nothing changed": (
            "        if changed and self._live_check:",
            "        if self._live_check:",
            f"{FLEET}test_an_unchanged_fleet_costs_no_request",
        ),
        "a removal alone is looked at too": (
            "olds.lines.keys() != news.lines.keys()\n            or any(",
            "any(",
            f"{FLEET}test_a_removal_needs_a_key_at_preview",
        ),
        "many clears need leave, at preview": (
            "        except RefusedError as error:\n            problems.append(str(error))\n",
            "        except RefusedError:\n            pass\n",
            f"{FLEET}test_many_clears_need_leave",
        ),
        "many clears need leave, in the run": (
            "        refuse_many_clears(self._account, self._declarations, olds, news)\n        return",
            "        return",
            f"{FLEET}test_many_clears_need_leave",
        ),
        "removed lines are kept with keep": (
            "        if removed and news.removed == KEEP:\n",
            "        if False:\n",
            f"{ENGINE}test_fleet.py::test_an_emptied_map_silences_nobody",
        ),
        "a line under its other name is not taken out": (
            " and not self._is_renamed(line, news)]",
            "]",
            f"{FLEET}test_another_name_for_a_line_is_not_counted_as_cleared",
        ),
        "an unchanged fleet holds its lines": (
            "            self._declarations.mark_unchanged(*kept)\n",
            "            pass\n",
            f"{FLEET}test_a_fleet_that_stays_as_it_is_owns_its_lines",
        ),
        "a replaced fleet knows what was recorded": (
            "                self._declarations.change(line, recorded)\n",
            "                pass\n",
            f"{FLEET}test_a_replaced_fleet_knows_what_was_recorded",
        ),
        "the preview names the numbers that overwrite replaces": (
            "            self._announce_overwrites(olds, news)\n",
            "            pass\n",
            f"{ENGINE}test_fleet.py::test_every_problem_at_preview",
        ),
        "a failure in part is an error": (
            "            if errors:\n                raise self._incomplete",
            "            if False:\n                raise self._incomplete",
            f"{ENGINE}test_fleet.py::test_a_failure_in_part",
        ),
        "read tells the live numbers": (
            "{line: now.forwarding_number for line, now in live.items() if now}",
            "{line: olds.lines[line] for line, now in live.items() if now}",
            f"{ENGINE}test_fleet.py::test_the_whole_life",
        ),
        "a fleet that names a line by its other name keeps it": (
            "self._declarations.declare(_numbers(news), kept=[line for line in news.lines if self._has(olds, line)])",
            "pass",
            "tests/unit/core/test_fleet.py::test_a_replacement_under_the_other_names_of_lines_knows_what_is_recorded",
        ),
        "a fleet lends only the numbers that change": (
            "            if recorded != news.lines[line] and isinstance(recorded, str):\n",
            "            if isinstance(recorded, str):\n",
            f"{FLEET}test_a_newcomer_does_not_write_over_a_fleet_that_changes",
        ),
        "a preview looks at every line of a fleet that changes": (
            "single.compare_with_account(before, declaration, changed=changed)",
            "single.compare_with_account(before, declaration, changed=before != declaration)",
            f"{FLEET}test_a_hand_edit_of_another_line_is_told_at_preview",
        ),
        "row 42: a renamed fleet has the limit of an update": (
            "        if nothing.allow_clearing is not None:\n",
            "        if False:\n",
            "tests/engine/test_ownership.py::test_a_renamed_fleet_does_not_silence_what_was_cut",
        ),
        "lines that forward as declared are claimed": (
            "errors = run_in_turn(done) | self._run(calls)",
            "errors = self._run(calls)",
            f"{FLEET}test_only_lines_that_need_a_write_are_given_to_other_threads",
        ),
        "a fleet confirms what a refresh finds": (
            "self._account.confirmed(line, partial(_is_recorded, olds.lines[line]))",
            "self._account.find(line)",
            f"{FLEET}test_a_fleet_keeps_a_line_that_one_list_lacks",
        ),
        "a fleet confirms that a line is gone before an update": (
            "        now = now or self._account.confirmed(line, lambda found: found is not None)\n",
            "",
            f"{FLEET}test_a_fleet_keeps_a_line_that_one_list_lacks",
        ),
        "a fleet confirms that a line is gone before a clear": (
            "            now = self._account.confirmed(line, lambda found: found is not None)\n        except",
            "            now = self._account.find(line)\n        except",
            f"{FLEET}test_a_fleet_keeps_a_line_that_one_list_lacks",
        ),
        "a fleet clears by id where the list is empty": (
            "            if not is_uuid(line):\n                raise\n",
            "            raise\n",
            f"{FLEET}test_an_account_without_lines_can_be_destroyed_where_the_fleet_names_ids",
        ),
        "a fleet forgets no number where the list is empty": (
            "            if not is_uuid(line):\n                raise\n",
            "",
            f"{FLEET}test_an_empty_list_clears_no_fleet_that_names_numbers",
        ),
        "a line of a fleet that fails leaves nothing in doubt": (
            "            in_doubt=in_doubt,\n        )\n",
            "        )\n",
            "tests/unit/core/test_fleet.py::test_a_line_that_fails_leaves_nothing_in_doubt",
        ),
    },
    "core/guards.py": {
        "row 19: the second stack is refused": (
            "if overwrite or live in",
            "if True or live in",
            f"{ENGINE}test_rows.py::test_row_19_two_stacks_that_declare_one_line",
        ),
        "row 23: a write that was applied unseen is adopted": (
            "live in (declared, recorded)",
            "live in (recorded,)",
            f"{ENGINE}test_kill.py::test_row_23_kill_9_of_the_provider",
        ),
        "declaring a line clear counts as clearing it": (
            'return declared[0] == ""',
            "return False",
            f"{FLEET}test_many_clears_need_leave",
        ),
        "a line that moved to another resource is not counted as cleared": (
            "return news.removed != KEEP and not declarations.planned(*names)",
            "return news.removed != KEEP",
            f"{FLEET}test_a_line_that_moves_to_a_single_resource_is_not_cleared",
        ),
        "names that were never seen may be other names": (
            "len(clears) - min(unseen, len(news.lines.keys() - olds.lines.keys()))",
            "len(clears)",
            f"{FLEET}test_names_that_cannot_be_looked_up_are_no_clears",
        ),
        "a refresh cannot follow an id": (
            '    by_number = declared_by == "phone_number"',
            "    by_number = True",
            f"{LAG}test_a_line_declared_by_id_that_has_a_new_one",
        ),
        "a loop through a line that is merely live": (
            "    return line.forwarding_number if line else None\n",
            "    return None\n",
            f"{LAG}test_a_loop_through_a_line_that_nobody_declares",
        ),
        "no loop through what a line forwarded to before": (
            "    if declarations.planned(*names):",
            "    if False:",
            f"{LAG}test_no_loop_where_the_line_is_declared_differently",
        ),
    },
    "core/lifecycle.py": {
        "row 35: delete clears": (
            "                self._account.set_forwarding_number(line, number)\n            self._say",
            "                pass\n            self._say",
            f"{ENGINE}test_rows.py::test_row_35_the_automation_api_outside_its_environment",
        ),
        "create writes the declared number": (
            "                line = self._account.set_forwarding_number(line, number)\n",
            "",
            f"{ENGINE}test_main_job.py",
        ),
        "diff sees a changed number": ("changes = olds.inputs != news", "changes = False", f"{ENGINE}test_main_job.py"),
        "update writes the new number, not the recorded one": (
            "return self._write(line, news, recorded=olds.forwarding_number, replaced=olds.replaced_number)",
            "return olds",
            f"{ENGINE}test_main_job.py",
        ),
        "row 16: read returns what is live": (
            "return outputs(line, olds.inputs, applied=olds.applied, replaced=olds.replaced_number)",
            "return olds",
            f"{ENGINE}test_drift.py::test_a_hand_edit_is_shown_alone_and_healed[number-changed]",
        ),
        "delete clears": (
            "                self._account.set_forwarding_number(line, number)\n            self._say",
            "                pass\n            self._say",
            f"{ENGINE}test_main_job.py",
        ),
        "row 18: delete leaves a declared line alone": (
            "            if owner is not None:\n",
            "            if False:\n",
            f"{ENGINE}test_rename.py::test_a_line_declared_before_and_after_is_never_written[dynamic-renamed]",
        ),
        "check refuses somebody else's line": (
            "        refuse_overwrite(line, number, overwrite=self._may_overwrite(news), recorded=recorded)\n\n",
            "        pass\n\n",
            f"{ENGINE}test_preview.py::test_somebody_elses_line_is_refused",
        ),
        "check leaves a line that was cleared to create and update": (
            'if recorded and line.forwarding_number == "" != number',
            'if False and line.forwarding_number == "" != number',
            "tests/unit/core/test_lifecycle_check.py::test_check_leaves_a_cleared_line_to_update",
        ),
        "create compares again, whatever check saw": (
            "            refuse_overwrite(line, number, overwrite=self._may_overwrite(news), recorded=recorded)\n            # The",
            "            # The",
            f"{ENGINE}test_preview.py::test_without_a_live_check_create_still_compares",
        ),
        "a line has one name in a program": (
            "        refuse_two_names(self._account, self._declarations, identity)\n",
            "        pass\n",
            f"{ENGINE}test_preview.py::test_a_second_name_for_a_line_that_is_declared_already",
        ),
        "row 18: a refreshed old resource holds nothing": (
            "        if self._declarations.keeps(_text(news.identity)):\n            if changes:",
            "        if True:\n            if changes:",
            "tests/unit/core/test_lifecycle.py::test_the_refresh_of_an_old_self_does_not_speak_for_the_new_owner[False]",
        ),
        "destinations: the rule is asked again before a write": (
            "            self._destinations.refuse(number, recorded=recorded)\n",
            "",
            "tests/unit/core/test_where_the_rule_is_asked.py::test_a_number_to_which_calls_may_not_go_is_not_written",
        ),
        "destinations: check asks for the rule": (
            "validate(news) or self._destinations.problems(olds, news)",
            "validate(news)",
            "tests/unit/core/test_where_the_rule_is_asked.py::test_check_refuses_a_number_to_which_calls_may_not_go",
        ),
        "restore: what was not forwarded is not forwarded over": (
            "line.forwarding_number in (left_with, olds.applied)",
            'line.forwarding_number in ("", left_with, olds.applied)',
            f"{RESTORE}test_what_somebody_set_meanwhile_is_not_written_over",
        ),
        "restore: a create remembers what it finds": (
            "if replaced is None and (is_foreign or (is_new and news.removed == RESTORE)):",
            "if replaced is None and is_foreign:",
            f"{RESTORE}test_what_a_create_remembers",
        ),
        "restore: what overwrite replaced is remembered in any case": (
            "if replaced is None and (is_foreign or (is_new and news.removed == RESTORE)):",
            "if replaced is None and is_new and news.removed == RESTORE:",
            f"{RESTORE}test_what_a_create_remembers",
        ),
        "restore: it is remembered only where it is needed": (
            "if replaced is None and (is_foreign or (is_new and news.removed == RESTORE)):",
            "if replaced is None and is_new:",
            f"{RESTORE}test_what_a_create_remembers",
        ),
        "restore: an update keeps what is remembered": (
            "recorded=olds.forwarding_number, replaced=olds.replaced_number)",
            "recorded=olds.forwarding_number)",
            f"{RESTORE}test_what_was_remembered_once_stays",
        ),
        "restore: a refresh keeps what is remembered": (
            "applied=olds.applied, replaced=olds.replaced_number)",
            "applied=olds.applied, replaced=None)",
            f"{RESTORE}test_what_was_remembered_once_stays",
        ),
        "restore: a replacement that diff knows of remembers": (
            "        self._declarations.bequeath(olds.phone_number_id, olds.replaced_number)\n        if news.identity",
            "        if news.identity",
            f"{RESTORE}test_a_replacement_that_the_provider_is_told_of_remembers",
        ),
        "restore: a replacement that deletes first remembers": (
            "            self._declarations.bequeath(olds.phone_number_id, olds.replaced_number)\n        line =",
            "        line =",
            f"{RESTORE}test_a_replacement_that_the_provider_is_told_of_remembers",
        ),
        "restore: a rename says what is forgotten": (
            'lost = f" {NOT_REMEMBERED}" if is_lost else ""',
            'lost = ""',
            f"{RESTORE}test_a_renamed_resource_says_what_is_forgotten",
        ),
        "restore: a rename says nothing where nothing is forgotten": (
            "is_lost = olds.replaced_number not in (None, olds.applied) and not (",
            "is_lost = olds.replaced_number is not None and not (",
            f"{RESTORE}test_a_renamed_resource_forgets_nothing_that_it_still_has",
        ),
        "restore: what is not remembered is said": (
            "        if olds.replaced_number is None:\n",
            "        if False:\n",
            f"{RESTORE}test_nothing_remembered_is_cleared_and_said",
        ),
        "keep: nothing is sent": (
            "            elif olds.removed == KEEP:\n",
            "            elif False:\n",
            f"{RESTORE}test_keep_asks_nothing",
        ),
        "restore: who declares the line later knows what it was left with": (
            "self._declarations.try_clear(*names, left_with=olds.left_with)",
            "self._declarations.try_clear(*names)",
            f"{RESTORE}test_a_line_that_was_given_back_before_it_was_known_to_be_declared",
        ),
        "an unchanged resource sets a line again that this run cleared": (
            "changes = olds.inputs != news or cleared",
            "changes = olds.inputs != news",
            f"{FLEET}test_a_line_cleared_before_its_other_owner_was_known_is_set_again",
        ),
        "who names a line by its other name keeps it": (
            "                if olds.identity not in (None, news.identity):",
            "                if False:",
            "tests/unit/core/test_lifecycle.py::test_a_replacement_under_the_other_name_of_a_line_knows_what_is_recorded",
        ),
        "only who has a line in the state keeps it": (
            "kept = [news.identity] if olds.identity in names else []",
            "kept = [news.identity]",
            "tests/unit/core/test_lifecycle.py::test_the_refresh_of_an_old_self_does_not_speak_for_the_new_owner[True]",
        ),
        "a loop is refused in the run, too": (
            "            refuse_loop(self._account, self._declarations, line.id, number)\n",
            "",
            "tests/unit/core/test_lifecycle.py::test_a_loop_is_refused_where_nobody_looked_before",
        ),
        "row 37: a foreign number is not cleared": (
            "        if line is None or self._is_ours(line, olds, olds.left_with):\n",
            "        if True:\n",
            "tests/unit/core/test_lifecycle.py::test_delete_refuses_to_clear_another_number",
        ),
        "what a refresh found is not what was applied": (
            "        return line.forwarding_number in (left_with, olds.applied) or",
            "        return line.forwarding_number in (left_with, olds.applied, olds.forwarding_number) or",
            "tests/unit/core/test_lifecycle.py::test_delete_clears_what_was_applied_and_not_what_was_found",
        ),
        "row 39: a lost owner is no owner": (
            "        if owner.lost:\n",
            "        if False:\n",
            "tests/unit/core/test_lifecycle.py::test_delete_after_the_new_create_failed",
        ),
        "a write is left out only where state and list agree": (
            "if before != number or recorded not in (None, number):",
            "if before != number:",
            "tests/unit/core/test_lifecycle.py::test_update_of_a_line_that_already_holds_the_number",
        ),
        "row 40: a second owner gives the line back": (
            "            self._account.set_forwarding_number(line, str(owner.number))\n",
            "            pass\n",
            "tests/engine/test_ownership.py::test_a_second_owner_that_leaves_gives_the_line_back",
        ),
        "lists of before another process's clear do not count for a create": (
            "                self._account.doubt(line)\n",
            "",
            "tests/unit/core/test_lifecycle.py::test_lists_that_agreed_before_another_process_cleared_a_line_do_not_count",
        ),
        "lists of before another process's clear do not count for a delete": (
            "            self._account.doubt(recorded)\n",
            "            pass\n",
            "tests/unit/core/test_lifecycle.py::test_a_line_of_two_old_resources_is_cleared_in_two_processes",
        ),
        "what was restored in this run stays": (
            "        if line.forwarding_number == left:\n",
            "        if False:\n",
            "tests/unit/core/test_lifecycle.py::test_a_line_that_this_run_has_restored_is_not_cleared",
        ),
        "a write that the state contradicts is sent": (
            " or recorded not in (None, number):",
            ":",
            f"{LAG}test_a_change_that_the_list_does_not_show_is_written_back",
        ),
        "a clear that the state contradicts is sent": (
            "if not line.forwarding_number == number == olds.forwarding_number:",
            "if line.forwarding_number != number:",
            f"{LAG}test_a_delete_right_after_up_with_a_list_that_lags",
        ),
        "check confirms a surprise": (
            "            line = self._account.confirmed(identity, lambda now: now is not None and _ours(now, number, recorded))",
            "            line = self._account.find(identity)",
            f"{LAG}test_one_list_that_lacks_the_line_says_nothing",
        ),
        "create confirms what this run replaces": (
            "            if recorded is not None:\n                line = self._confirmed",
            "            if False:\n                line = self._confirmed",
            f"{LAG}test_a_replacement_of_a_changed_line_with_a_list_that_lags",
        ),
        "update confirms a surprise": (
            "        now = self._account.confirmed(line.id, lambda now: now is not None and _ours(now, number, recorded))",
            "        now = self._account.find(line.id)",
            f"{LAG}test_there_and_back_with_a_list_that_lags",
        ),
        "get confirms that a line is not there": (
            "return self._account.confirmed(phone_number_id, _is_there)",
            "return self._account.find(phone_number_id)",
            f"{LAG}test_one_list_that_lacks_the_line_says_nothing",
        ),
        "delete confirms a foreign number": (
            "self._account.confirmed(olds.phone_number_id, is_expected)",
            "self._account.confirmed(olds.phone_number_id, lambda now: True)",
            f"{LAG}test_a_delete_after_a_take_over_with_a_list_that_lags",
        ),
        "read confirms a surprise": (
            "lambda now: now is not None and now.forwarding_number == olds.forwarding_number",
            "lambda now: True",
            f"{LAG}test_a_refresh_right_after_up_with_a_list_that_lags",
        ),
        "read follows a number to its new id": (
            '        if line is None and olds.declared_by == "phone_number":',
            "        if False:",
            f"{LAG}test_a_number_with_a_new_id_is_read_as_the_new_line",
        ),
        "diff names a line that moved": (
            "        if news.phone_number:\n            self._refuse_moved(olds)\n",
            "",
            f"{LAG}test_a_number_with_a_new_id_is_reported_at_preview_and_at_up",
        ),
        "diff confirms that a line moved": (
            "        now = self._account.confirmed(olds.phone_number, is_recorded)\n",
            "",
            f"{LAG}test_a_new_id_is_confirmed_before_it_is_reported",
        ),
        "update names a line that moved": (
            "        raise moved(other, declared_by=news.declared_by) if other else self",
            "        raise self",
            f"{LAG}test_a_line_declared_by_id_that_has_a_new_one",
        ),
        "delete names the line that was left alone": (
            "        except NotFoundError:\n            other = self._account.known(olds.phone_number)",
            "        except NotFoundError:\n            other = None",
            f"{LAG}test_a_delete_leaves_the_line_that_has_the_number_now",
        ),
        "read confirms that no other line has the number": (
            "line = self._account.confirmed(olds.phone_number, _is_there)",
            "line = self._account.find(olds.phone_number)",
            f"{LAG}test_a_list_that_lacks_the_new_line_says_nothing",
        ),
        "update confirms that no other line has the number": (
            "other = self._account.confirmed(line.phone_number, _is_there)",
            "other = self._account.find(line.phone_number)",
            f"{LAG}test_a_list_that_lacks_the_new_line_says_nothing",
        ),
        "an imported line is declared as it was asked for": (
            'declared_by = "phone_number_id" if line.id == lower_id(identity) else "phone_number"',
            'declared_by = "phone_number_id"',
            f"{ENGINE}test_native.py::test_import_of_a_line[number]",
        ),
    },
    "core/records.py": {
        "row 17: what refresh records is what is declared": (
            "        declared.overwrite if isinstance(declared.overwrite, bool) else None,\n",
            "        None,\n",
            f"{ENGINE}test_rows.py::test_row_17_nothing_is_written_twice",
        ),
        "restore: a delete puts back what was there": (
            '        return (self.replaced_number or "") if self.removed == RESTORE else ""\n',
            '        return ""\n',
            f"{RESTORE}test_a_delete_puts_it_back",
        ),
        "overwrite is for the lines that it names": (
            "return line in self.overwrite or Unknown.UNKNOWN in self.overwrite",
            "return True",
            f"{FLEET}test_overwrite_is_meant_for_the_lines_that_it_names",
        ),
        "one id in capitals and in lower case is refused": (
            "    if len(lowered) < len(forwardings):",
            "    if False:",
            "tests/unit/program/test_fleet.py::test_one_id_in_capitals_and_in_lower_case",
        ),
    },
    "core/roster.py": {
        "an empty roster is refused": ("    if not roster:\n", "    if False:\n", "tests/unit/core/test_roster.py"),
    },
    "core/roster_csv.py": {
        "rosters: a blank cell is refused": (
            "Cell(texts[at] or None if at < len(texts) else None, row, at + 1)",
            "Cell(texts[at] if at < len(texts) else None, row, at + 1)",
            "tests/unit/core/test_roster.py::test_a_blank_cell_silences_nobody",
        ),
        "rosters: a row with more cells than the header is refused": (
            "    if len(texts) > header.width:\n",
            "    if False:\n",
            "tests/unit/core/test_roster.py::test_csv_with_more_cells_than_its_header_is_refused",
        ),
    },
    "core/roster_file.py": {
        "rosters: a device or a pipe is never read": (
            "        if stat.S_ISREG(os.stat(path).st_mode):\n",
            "        if os.path.lexists(path):\n",
            "tests/unit/core/test_roster.py::test_a_file_that_is_not_there_is_refused",
        ),
    },
    "dynamic.py": {
        "row 16: read returns the declared inputs": (
            "outputs.id, with_secrets(to_pulumi(outputs)), to_pulumi(outputs.inputs))",
            "outputs.id, with_secrets(to_pulumi(outputs)))",
            f"{ENGINE}test_drift.py::test_a_hand_edit_is_shown_alone_and_healed[id-changed]",
        ),
        "row 26: a refusal names no property, whose value would be shown": (
            'CheckFailure("", problem)',
            'CheckFailure("forwarding_number", problem)',
            f"{ENGINE}test_secrets.py::test_row_26_checks_that_fail",
        ),
        "restore: a fleet that failed says what is forgotten": (
            "        if forgotten:\n",
            "        if False:\n",
            "tests/unit/test_dynamic.py::test_a_fleet_that_failed_says_what_no_state_records",
        ),
        "restore: what is remembered is secret from the create on": (
            "CreateResult(outputs.id, with_secrets(to_pulumi(outputs)))",
            "CreateResult(outputs.id, to_pulumi(outputs))",
            f"{ENGINE}test_restore.py::test_a_line_is_given_back_what_it_had",
        ),
        "row 36: what was only read is read again": (
            '        if props.get("declared_by"):  #',
            '        if "declared_by" in props or "phone_number" in props:  #',
            "tests/engine/test_ownership.py::test_a_line_that_was_read_refreshes",
        ),
        "a state of the native package is taken over": (
            "if not diff.changes and DYNAMIC not in _olds:",
            "if False:",
            "tests/unit/test_dynamic.py::test_a_state_of_the_native_package_is_taken_over",
        ),
    },
    "emulator/faults.py": {
        "429-body has its wait in the body only": (
            "Fault.rate_limited(body_retry_after=int(wait)",
            "Fault.rate_limited(str(wait), body_retry_after=int(wait)",
            "tests/unit/emulator/test_emulator.py::test_a_wait_in_the_body_only",
        ),
    },
    "emulator/history.py": {
        "a list lags by the emulator's clock": (
            "if change.at > at",
            "if change.at < 0",
            f"{EMULATOR}_lists.py::test_a_list_lags_behind_a_write",
        ),
    },
    "emulator/incoming.py": {
        "the emulator reads no body that is announced as too large": (
            "        self._check_body(length)\n",
            "",
            f"{EMULATOR}_limits.py::test_a_larger_body_is_refused_before_it_is_sent",
        ),
        "the emulator reads no chunks that are too large together": (
            "self._check_body(len(body) + size)",
            "self._check_body(size)",
            f"{EMULATOR}_limits.py::test_chunks_of_more_than_a_megabyte_are_refused",
        ),
        "the emulator carries out no write whose body is incomplete": (
            "        while len(self._received) < size:\n",
            "        while not self._received:\n",
            f"{EMULATOR}_limits.py::test_a_body_that_is_shorter_than_announced_is_refused",
        ),
        "the emulator reads a head byte by byte for a limited time": (
            "        self._set_deadline(self._limits.request_seconds)\n",
            "        self._set_deadline(1e6)\n",
            f"{EMULATOR}_limits.py::test_a_request_byte_by_byte_is_ended",
        ),
        "the emulator closes a silent connection": (
            "        self._set_deadline(self._patience)\n",
            "        self._set_deadline(1e6)\n",
            f"{EMULATOR}_limits.py::test_a_connection_on_which_nothing_comes_is_closed",
        ),
    },
    "emulator/log.py": {
        "the emulator's log is limited in bytes": (
            " or self._bytes > self._most_bytes",
            "",
            f"{EMULATOR}_limits.py::test_the_log_is_limited_in_bytes",
        ),
        "the emulator's log is limited in requests": (
            "len(self._kept) > self._most or ",
            "",
            f"{EMULATOR}_limits.py::test_the_log_keeps_the_newest_requests",
        ),
    },
    "emulator/numbers.py": {
        "another seed has other phone numbers": (
            "        first = _first_number(seed)\n",
            "        first = _first_number(0)\n",
            f"{EMULATOR}.py::test_another_seed_is_another_account",
        ),
    },
    "emulator/page.py": {
        "no other website reads the emulator's page": (
            "        if not self._is_own(visit):\n",
            "        if False:\n",
            "tests/unit/emulator/test_emulator_page.py::test_other_websites_read_nothing",
        ),
        "no form of another website changes the emulator": (
            """visit.method != "POST" or visit.content_type != "application/json":""",
            """visit.method != "POST":""",
            "tests/unit/emulator/test_emulator_page.py::test_other_websites_change_nothing",
        ),
        "the emulator's page never tells a token": (
            """            text = text.replace(secret, "[token]")\n""",
            "            pass\n",
            "tests/unit/emulator/test_emulator_page.py::test_the_key_is_nowhere_on_the_page",
        ),
    },
    "emulator/server.py": {
        "the rate limit of a running emulator can be set": (
            "        self._service.limit = RateLimit(rate, clock=self._service.clock)\n",
            "        pass\n",
            "tests/unit/emulator/test_emulator.py::test_the_rate_limit_can_be_set_at_any_time",
        ),
    },
    "emulator/service.py": {
        "the seed of random faults draws the line that a list lacks": (
            ".drawn(self.draws.random())",
            "",
            f"{EMULATOR}_lists.py::test_a_drawn_line_is_lacking_in_one_of_fifty_answers",
        ),
        "the dates of a server whose clock is off are off": (
            "int(self.wall_clock()) + fault.clock_offset",
            "int(self.wall_clock())",
            f"{EMULATOR}_lists.py::test_a_server_whose_clock_is_off",
        ),
    },
    "emulator/state.py": {
        "the emulator's key is not empty": (
            """re.compile(r"[!-~]+")""",
            """re.compile(r"[!-~]*")""",
            f"{EMULATOR}_access.py::test_a_key_that_no_client_can_send_is_refused",
        ),
        "a token sees a line whose id changed": (
            "    return replace(token, lines=token.lines | {new_id})\n",
            "    return token\n",
            f"{EMULATOR}_lists.py::test_a_token_still_sees_a_line_with_a_new_id",
        ),
    },
    "emulator/visit.py": {
        "no name that a website rebound reaches the emulator's API": (
            "    if visit.host not in hosts:\n",
            "    if False:\n",
            f"{EMULATOR}_access.py::test_another_host_is_refused",
        ),
        "the port of the Host header has to be the emulator's": (
            "name in _LOOPBACK and colon and port == str(self.port)",
            "name in _LOOPBACK and colon",
            f"{EMULATOR}_access.py::test_another_host_is_refused",
        ),
        "no element of another website reaches the emulator's API": (
            """ or self.fetch_site in ("cross-site", "same-site")""",
            "",
            f"{EMULATOR}_access.py::test_another_website_is_refused",
        ),
    },
    "emulator/wire.py": {
        "a client that still sends can read the emulator's refusal": (
            "            self._incoming.discard()\n",
            "            pass\n",
            f"{EMULATOR}_limits.py::test_a_client_that_sends_it_all_the_same_reads_the_refusal",
        ),
    },
    "errors.py": {
        "row 04: the message has the trace_id": (
            'f"trace_id {plain(trace_id, limit=64)}" if trace_id else "",',
            "",
            f"{CLIENT_RETRIES}test_row_04_429_for_ever_ends_before_the_deadline_and_tells_everything",
        ),
        "row 31: control characters are taken out": (
            'kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in head)',
            "kept = head",
            f"{CLIENT}test_row_31_a_server_message_cannot_write_to_the_terminal",
        ),
        "row 31: what a server says is cut": (
            'return line if len(line) <= limit else line[: limit - 1] + "…"',
            "return line",
            f"{ERRORS}test_row_31_no_message_is_longer_than_500_characters_or_more_than_one_line",
        ),
        "row 26: a server's echo of the key is hidden": (
            '"\\0" if at in hidden else character',
            "character",
            f"{ENGINE}test_secrets.py::test_row_26_the_command_line[numbers]",
        ),
        "row 26: a server's echo of a number is hidden": (
            'return _PHONE_NUMBER.sub(HIDDEN, re.sub("\\0+", HIDDEN, kept))',
            'return re.sub("\\0+", HIDDEN, kept)',
            f"{ENGINE}test_secrets.py::test_row_26_every_verb_against_a_server_that_echoes",
        ),
        "a fleet's error names as many lines as fit": (
            " if end <= left]",
            "]",
            f"{ERRORS}test_of_many_lines_as_many_as_fit_are_named",
        ),
    },
    "native/process.py": {
        "the plugin ends with a killed engine": (
            "        _end_with(engine)\n    over",
            "        pass\n    over",
            f"{ENGINE}test_native.py::test_the_plugin_ends_with_a_killed_engine",
        ),
    },
    "native/servicer.py": {
        "a fleet that fails in part records what was written": (
            "if not isinstance(kind, PhoneNumberForwardings) or error.forwardings == olds.lines:",
            "if True:",
            f"{ENGINE}test_native.py::test_a_fleet_that_fails_in_part_records_the_rest",
        ),
        "a fleet that failed in part is compared with what it has": (
            "            if olds and isinstance(kind, PhoneNumberForwardings):",
            "            if False:",
            f"{ENGINE}test_ownership.py::test_an_interrupted_replacement_does_not_wedge[native-fleet-third]",
        ),
        "single lines are written as many at a time as the setting says": (
            "            with nullcontext() if isinstance(kind, PhoneNumberForwardings) else self._singles:",
            "            with nullcontext():",
            f"{ENGINE}test_native.py::test_as_many_lines_at_a_time_as_the_setting_says[2]",
        ),
        "the key is recorded as a secret": (
            'news["apiKey"] = secret(news["apiKey"])',
            "pass",
            f"{ENGINE}test_native.py::test_secrets_are_nowhere_in_plaintext",
        ),
        "a provider of the program's own inherits no key": (
            "    is_own = not urn or _OWN.fullmatch(urn)",
            "    is_own = True",
            f"{ENGINE}test_native.py::test_a_provider_of_the_programs_own_inherits_nothing",
        ),
        "a path of ignore_changes in other letters is refused": (
            "        _refuse_capitals(request.ignoreChanges, inputs)\n",
            "",
            f"{ENGINE}test_native.py::test_ignore_changes_in_other_letters_is_refused",
        ),
        "a state of the dynamic form is taken over without a request": (
            "        if DYNAMIC in olds and not lifecycle.diff(recorded, declared).changes:",
            "        if False:",
            f"{ENGINE}test_native.py::test_there_and_back_without_a_request[by number]",
        ),
        "nothing is cleared while a failed resource leaves it in doubt what is declared": (
            ", hears_program=False)",
            ")",
            f"{ENGINE}test_fleet.py::test_a_value_that_never_comes_clears_nothing[native]",
        ),
    },
    "program/fleet.py": {
        "None in a map is not left out": (
            "return False if number is None or isinstance(number, Unknown) else number",
            "return number",
            "tests/unit/program/test_fleet.py::test_none_is_not_left_out",
        ),
        "a secret under an id in capitals stays secret": (
            "for line, number in lower_ids(forwardings).items()}",
            "for line, number in forwardings.items()}",
            f"{ENGINE}test_fleet.py::test_values_that_are_unknown_or_secret",
        ),
        "a fleet and a single resource do not share a line": (
            "                declare_once(self, resource_name, opts, prepared)\n",
            "                pass\n",
            f"{ENGINE}test_fleet.py::test_two_owners",
        ),
        "what a failed resource leaves unknown is not left out": (
            "run_with_unknowns=not pulumi.runtime.is_dry_run()",
            "run_with_unknowns=False",
            f"{ENGINE}test_fleet.py::test_a_value_that_never_comes_clears_nothing",
        ),
        "a number of a coroutine is prepared before Pulumi sees it": (
            "        return _later(number, _false_for_none)\n",
            "        return pulumi.Output.from_input(number).apply(_false_for_none)\n",
            "tests/unit/program/test_fleet.py::test_a_map_in_place_of_a_number",
        ),
    },
    "program/forwarding.py": {
        "a plaintext key is refused": (
            "        refuse_plaintext_key()\n        line = ",
            "        line = ",
            f"{ENGINE}test_preview.py::test_plaintext_key_is_refused",
        ),
        "row 26: the key is encrypted in the state": (
            '"linq:apiKey": pulumi.Output.secret(api_key),',
            '"linq:apiKey": api_key,',
            f"{ENGINE}test_secrets.py::test_row_26_two_accounts",
        ),
    },
    "program/lookup.py": {
        "one list for all look-ups of a run": (
            "        if settings not in listed:\n",
            "        if True:\n",
            "tests/unit/program/test_lookup.py",
        ),
    },
    "program/run.py": {
        "resources of the same name are named with their parents": (
            "    return _path(one), _path(other)\n",
            "    return one._linq_name, other._linq_name\n",
            "tests/unit/program/test_forwarding.py::test_children_of_the_same_name_are_named_with_their_parents",
        ),
    },
    "provider/host.py": {
        "our errors print without a traceback": (
            "    host.traceback = _PlainTraceback  # type: ignore[attr-defined]\n",
            "",
            f"{ENGINE}test_failures.py::test_failing_create_update_delete",
        ),
        "row 21: the provider ends with the engine": (
            '    threading.Thread(target=_end_with_engine, name="linq-end-with-engine", daemon=True).start()\n',
            "",
            f"{ENGINE}test_kill.py::test_row_21_kill_9_of_the_engine[dynamic-create-during-the-write-0]",
        ),
        "row 22: the provider ends no sooner than the engine": (
            "        while os.read(0, 1024):\n            pass\n",
            "        pass\n",
            f"{ENGINE}test_kill.py::test_row_22_one_signal",
        ),
        "what stdout cannot encode is replaced": (
            "except UnicodeEncodeError:",
            "except ZeroDivisionError:",
            "tests/unit/provider/test_print_info.py::test_any_text_can_be_printed_in_any_encoding",
        ),
    },
    "provider/properties.py": {
        "row 32: what a released version recorded is read by its names": (
            "name: ours(props.get(name, props.get(camel(name))))",
            'name: ours(props.get(name.replace("declared", "named")))',
            f"{ENGINE}test_upgrades.py::test_row_32_a_state_of_each_released_version_previews_unchanged",
        ),
        "row 25: an unknown value is not validated": (
            "if isinstance(value, unknown):",
            "if False:",
            f"{ENGINE}test_rows.py::test_row_25_unknown_nested_and_secret_values",
        ),
        "restore: what is remembered is secret": (
            'SECRETS = ("applied_number", "applied_numbers", "replaced_number", "replaced_numbers")',
            'SECRETS = ("applied_number", "applied_numbers")',
            f"{ENGINE}test_restore.py::test_a_line_is_given_back_what_it_had",
        ),
    },
    "provider/run_log.py": {
        "row 38: all processes of a run know what is declared": (
            "        while rest and self._close.alive:\n",
            "        while False:\n",
            "tests/unit/core/test_declarations.py::test_processes_of_a_run_share_what_they_know",
        ),
        "events of other processes come before one's own": (
            "if length and os.lseek(self._file, 0, os.SEEK_CUR) == self._offset + length and not self._rest:",
            "if length:",
            "tests/unit/provider/test_run_log.py::test_an_exchange_returns_the_events_of_others_before_its_own",
        ),
        "a file of a run that is over is begun anew": (
            "            os.ftruncate(file, 0)\n",
            "            pass\n",
            "tests/unit/provider/test_run_log.py::test_a_file_of_a_run_that_is_over_is_begun_anew",
        ),
        "the folder of the runs is private": (
            "or stat.S_IMODE(found.st_mode) & 0o077:",
            "or False:",
            "tests/unit/provider/test_run_log.py::test_a_folder_that_is_not_ours_alone_is_refused",
        ),
    },
}
