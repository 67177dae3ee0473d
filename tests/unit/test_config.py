"""Settings: where each comes from, and what is refused."""

from __future__ import annotations

import pytest

from linq_provider.config import Settings
from linq_provider.errors import ConfigurationError

CANARY = "canary-8f2c61d07b"


def test_defaults_are_those_of_the_contract() -> None:
    """With nothing configured: Linq's address, 120 s, 7 retries, 16 at once, live check on, no key."""
    settings = Settings.load({}, environ={})
    assert settings.base_url == "https://api.linqapp.com/api/partner"
    assert (settings.timeout, settings.max_retries, settings.max_concurrency) == (120.0, 7, 16)
    assert settings.live_check is True
    assert settings.api_key is None


def test_no_configuration_at_all_is_like_an_empty_one() -> None:
    """The command line has no Pulumi configuration: None reads the environment only."""
    assert Settings.load(None, environ={"LINQ_API_V3_API_KEY": "from-env"}).api_key == "from-env"


@pytest.mark.parametrize(
    ("key", "variable", "field", "configured", "exported"),
    [
        ("linq:apiKey", "LINQ_API_V3_API_KEY", "api_key", "config-key", "env-key"),
        ("linq:baseUrl", "LINQ_API_V3_BASE_URL", "base_url", "https://a.example/x", "https://b.example/y"),
        ("linq:timeout", "LINQ_TIMEOUT", "timeout", 30.0, 60.0),
        ("linq:maxRetries", "LINQ_MAX_RETRIES", "max_retries", 0, 3),
        ("linq:maxConcurrency", "LINQ_MAX_CONCURRENCY", "max_concurrency", 1, 256),
        ("linq:liveCheck", "LINQ_LIVE_CHECK", "live_check", False, True),
    ],
)
def test_config_beats_environment_beats_default(
    key: str, variable: str, field: str, configured: object, exported: object
) -> None:
    """For every setting, under both of its names."""
    config = {key: str(configured).removesuffix(".0")}
    environ = {variable: str(exported).removesuffix(".0")}
    assert getattr(Settings.load(config, environ=environ), field) == configured
    assert getattr(Settings.load({}, environ=environ), field) == exported


@pytest.mark.parametrize(
    ("config", "environ", "source"),
    [
        (
            {"linq:apiKey": "a"},
            {"LINQ_API_KEY_OVERRIDE": "the-key", "LINQ_API_V3_API_KEY": "b"},
            "LINQ_API_KEY_OVERRIDE",
        ),
        ({"linq:apiKey": "the-key"}, {"LINQ_API_V3_API_KEY": "b"}, "linq:apiKey"),
        ({}, {"LINQ_API_V3_API_KEY": "the-key"}, "LINQ_API_V3_API_KEY"),
    ],
)
def test_the_key_is_taken_by_precedence_and_its_source_is_kept(
    config: dict[str, str], environ: dict[str, str], source: str
) -> None:
    """The override beats the config beats the variable; a 401 can name where the key came from."""
    settings = Settings.load(config, environ=environ)
    assert (settings.api_key, settings.api_key_source) == ("the-key", source)


def test_an_explicit_provider_inherits_nothing_from_the_environment() -> None:
    """With several accounts in one stack, a variable must not redirect one to another's account."""
    environ = {
        "LINQ_API_KEY_OVERRIDE": "wrong",
        "LINQ_API_V3_API_KEY": "wrong",
        "LINQ_API_V3_BASE_URL": "https://wrong.example",
        "LINQ_TIMEOUT": "60",
    }
    settings = Settings.load({"linq:explicitProvider": "true", "linq:apiKey": "emea"}, environ=environ)
    assert settings == Settings(api_key="emea", api_key_source="linq:apiKey")


def test_a_missing_key_is_an_error_only_where_a_request_is_made() -> None:
    """Loading works without one; requiring it names both ways to set it."""
    settings = Settings.load({}, environ={})
    with pytest.raises(ConfigurationError) as caught:
        settings.require_api_key()
    assert "pulumi config set --secret linq:apiKey" in str(caught.value)
    assert "LINQ_API_V3_API_KEY" in str(caught.value)


STRANGE = "contains a space, a line break or a non-ASCII character; copy the key again."


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (f"{CANARY}\n", STRANGE),
        (f"{CANARY} ", STRANGE),
        (f"{CANARY}\r\nX-Evil: 1", STRANGE),
        (f"{CANARY}\0", STRANGE),
        (f"{CANARY}\x7f", STRANGE),
        (f"{CANARY}é", STRANGE),
        (f"{CANARY}\u20ac", STRANGE),
        (f"Bearer {CANARY}", STRANGE),
        (CANARY.ljust(4097, "k"), "is longer than 4096 characters; that is no API key."),
    ],
    ids=["newline", "space", "header", "nul", "delete", "latin-1", "euro", "Bearer", "long"],
)
@pytest.mark.parametrize("name", ["linq:apiKey", "LINQ_API_V3_API_KEY", "LINQ_API_KEY_OVERRIDE"])
def test_row_27_a_key_that_cannot_be_one_is_refused_and_never_repeated(name: str, key: str, reason: str) -> None:
    """Whatever its source, before any request; the message names the source and why, and holds no part of the key."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({name: key}, environ={name: key})
    assert str(caught.value) == f"{name} {reason}"
    assert not any(CANARY[i : i + 8] in str(caught.value) for i in range(len(CANARY) - 7))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "provider", "next_step"),
    [
        ("linq:apiKey", None, "Run `pulumi config set --secret linq:apiKey` and enter the key."),
        ("linq:apiKey", "emea", "Give it the key of the account, from a secret setting."),
        (
            "LINQ_API_V3_API_KEY",
            None,
            "Set it to the key of the Linq account, or run `pulumi config set --secret linq:apiKey`.",
        ),
        ("LINQ_API_KEY_OVERRIDE", None, "Unset it, or set it to the key that is to be used in place of every other."),
    ],
    ids=["configuration", "linq.Provider", "environment", "override"],
)
def test_an_empty_key_says_the_next_step(name: str, provider: str | None, next_step: str) -> None:
    """A variable or setting that is there and empty is named, with what to do about this one."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({"linq:explicitProvider": provider, name: ""}, environ={name: ""})
    assert str(caught.value) == f"{name} is empty. {next_step}"


@pytest.mark.parametrize("key", ["k" * 4096, "!key", "key~"], ids=["longest", "first-printable", "last-printable"])
def test_a_key_at_the_bounds_is_taken(key: str) -> None:
    """4096 characters, and every printable one, are allowed."""
    assert Settings.load({"linq:apiKey": key}, environ={}).api_key == key


def test_row_27_the_key_is_not_in_the_repr() -> None:
    """Settings can be logged."""
    assert CANARY not in repr(Settings(api_key=CANARY, api_key_source="linq:apiKey"))


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("https://api.linqapp.com/api/partner", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/", "https://api.linqapp.com/api/partner"),
        ("https://gateway.example/X//", "https://gateway.example/X"),
        ("https://gateway.example:8443", "https://gateway.example:8443"),
        ("http://127.0.0.1:8080/api/partner", "http://127.0.0.1:8080/api/partner"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_row_30_a_base_url_is_https_or_loopback(text: str, base_url: str) -> None:
    """Slashes at the end do not matter, however many; a letter before them stays."""
    assert Settings.load({"linq:baseUrl": text}, environ={}).base_url == base_url


NO_URL = "is not a URL."
MORE = "must be scheme, host and path only."
PLAIN = "must begin with https:// (http:// is allowed for this machine only)."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", NO_URL),
        ("api.linqapp.com", NO_URL),
        ("https://", NO_URL),
        ("http://api.linqapp.com", PLAIN),
        ("http://127.0.0.1.evil.example", PLAIN),
        ("http://localhost@evil.example", MORE),
        ("http://127.0.0.1\\@evil.example", MORE),
        ("http://2130706433", PLAIN),
        ("http://0.0.0.0", PLAIN),
        ("ftp://localhost", PLAIN),
        ("file:///etc/passwd", NO_URL),
        ("https://user:secret@api.linqapp.com", MORE),
        ("https://:@api.linqapp.com", MORE),
        ("https://api.linqapp.com/?a=b", MORE),
        ("https://api.linqapp.com/x?", MORE),
        ("https://api.linqapp.com/#a", MORE),
        ("https://api.linqapp.com/x#", MORE),
        ("https://api.linqapp.com:99999", NO_URL),
        ("https://api.linqapp.com:port", NO_URL),
        ("https://[::1", NO_URL),
        ("https://api.linqapp.com/a b", NO_URL),
        ("https://api.linqapp.com\n", NO_URL),
        ("https://bücher.example", NO_URL),
    ],
)
def test_row_30_any_other_base_url_is_refused(text: str, reason: str) -> None:
    """Plain http would show the key to a proxy; a query would swallow the path."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({"linq:baseUrl": text}, environ={})
    assert str(caught.value) == f"linq:baseUrl (environment: LINQ_API_V3_BASE_URL) {reason}"


def test_row_30_a_password_in_a_base_url_is_not_repeated() -> None:
    """The refusal of a URL with a login does not print the login."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({"linq:baseUrl": f"https://user:{CANARY}@api.linqapp.com"}, environ={})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("linq:timeout", "4.9"),
        ("linq:timeout", "601"),
        ("linq:timeout", "nan"),
        ("linq:timeout", "inf"),
        ("linq:timeout", "2m"),
        ("linq:timeout", ""),
        ("linq:maxRetries", "-1"),
        ("linq:maxRetries", "101"),
        ("linq:maxRetries", "7.5"),
        ("linq:maxRetries", "٧"),
        ("linq:maxRetries", "²"),
        ("linq:maxRetries", "9" * 5000),
        ("linq:maxConcurrency", "0"),
        ("linq:maxConcurrency", "257"),
        ("linq:liveCheck", "maybe"),
        ("linq:liveCheck", ""),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_config_key(key: str, text: str) -> None:
    """The message names the key, the variable and what is allowed."""
    with pytest.raises(ConfigurationError, match=rf"^{key} \(environment: LINQ_\w+\) must be "):
        Settings.load({key: text}, environ={})


def test_a_malformed_variable_is_named_as_the_variable() -> None:
    """So that the person who exported it finds it."""
    with pytest.raises(ConfigurationError, match=r"^LINQ_TIMEOUT must be a number of seconds from 5 to 600\.$"):
        Settings.load({}, environ={"LINQ_TIMEOUT": "soon"})


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("linq:timeout", "5", 5.0),
        ("linq:timeout", "600", 600.0),
        ("linq:timeout", "7.5", 7.5),
        ("linq:maxRetries", "0", 0),
        ("linq:maxRetries", "100", 100),
        ("linq:maxConcurrency", "1", 1),
        ("linq:maxConcurrency", "256", 256),
        ("linq:liveCheck", "TRUE", True),
        ("linq:liveCheck", "1", True),
        ("linq:liveCheck", "False", False),
        ("linq:liveCheck", "0", False),
    ],
)
def test_the_bounds_themselves_are_allowed(key: str, text: str, value: object) -> None:
    """Five seconds and ten minutes, no retry and a hundred, one at once and 256."""
    field = {"timeout": "timeout", "maxRetries": "max_retries", "maxConcurrency": "max_concurrency"}
    name = field.get(key.removeprefix("linq:"), "live_check")
    assert getattr(Settings.load({key: text}, environ={}), name) == value


def test_values_that_are_no_text_are_read_as_text() -> None:
    """A plain dict may hold numbers and booleans."""
    settings = Settings.load({"linq:timeout": 30, "linq:liveCheck": False, "linq:maxRetries": 2}, environ={})
    assert (settings.timeout, settings.live_check, settings.max_retries) == (30.0, False, 2)


@pytest.mark.parametrize(
    ("config", "environ", "expected"),
    [
        ({}, {}, []),
        ({"linq:allowedForwardings": "us,+4930"}, {}, [("linq:allowedForwardings", ("US", "+4930"))]),
        ({}, {"LINQ_ALLOWED_FORWARDINGS": " * "}, [("LINQ_ALLOWED_FORWARDINGS", ("*",))]),
        (
            {"linq:allowedForwardings": '["GB"]', "linq:explicitProvider": "emea"},
            {"LINQ_ALLOWED_FORWARDINGS": "GB,"},
            [("linq:allowedForwardings of linq.Provider 'emea'", ("GB",)), ("LINQ_ALLOWED_FORWARDINGS", ("GB",))],
        ),
    ],
)
def test_where_calls_may_go_is_read_from_both(
    config: dict[str, str], environ: dict[str, str], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    """The one setting of the environment that is not overridden: it also applies to a `linq.Provider`."""
    found = Settings.load(config, environ=environ).allowed_forwardings
    assert [(each.name, each.entries) for each in found] == expected


@pytest.mark.parametrize(
    "value", ["", " ", ",", "USA", "4930", "+0", "+", "US;GB", "US GB", "[", "**", "+49 30", "+1234567890123456"]
)
def test_where_calls_may_go_is_never_guessed(value: str) -> None:
    """An empty or broken value is an error, not a rule that allows everything."""
    with pytest.raises(
        ConfigurationError,
        match=r'LINQ_ALLOWED_FORWARDINGS must be one text in quotes, such as "GB,\+4930": countries and prefixes',
    ):
        Settings.load({}, environ={"LINQ_ALLOWED_FORWARDINGS": value})
