"""Where calls may go: the settings, premium rate, lengths and ranges, by Google's metadata."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import phonenumbers
import pytest

from linq_provider.config import allowed_forwardings
from linq_provider.core.countries import COUNTRIES, SERVICES
from linq_provider.core.destinations import UNRESTRICTED, Destinations, look_up, metadata_version
from linq_provider.errors import ConfigurationError

OFFICE = "+12025559999"
LONDON = "+442071838750"
BERLIN = "+493012345678"
ANTIGUA = "+12684601234"  # shares +1 with the US; calls to such islands are how accounts are robbed
PREMIUM = "+19005551234"
GERMAN_PREMIUM = "+499001234567"


def rule(configured: str | None = None, environment: str | None = None, provider: str | None = None) -> Destinations:
    """The rule of these settings."""
    config = {"linq:allowedForwardings": configured, "linq:explicitProvider": provider}
    environ = {} if environment is None else {"LINQ_ALLOWED_FORWARDINGS": environment}
    return Destinations(allowed_forwardings(config, environ=environ))


def permitted(destinations: Destinations, *numbers: str) -> list[str]:
    """Which of these numbers calls may go to."""
    return [number for number in numbers if destinations.problem(number) is None]


# What the settings allow


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, [OFFICE, LONDON, BERLIN, ANTIGUA]),
        ("US", [OFFICE]),
        ("us , gb", [OFFICE, LONDON]),
        ("+1", [OFFICE, ANTIGUA]),
        ("+1202, DE", [OFFICE, BERLIN]),
        ("+4420", [LONDON]),
        ("AG", [ANTIGUA]),
        ("FR", []),
        ('["US", "+49"]', [OFFICE, BERLIN]),
        ("*", [OFFICE, LONDON, BERLIN, ANTIGUA]),
        ("GB,*", [OFFICE, LONDON, BERLIN, ANTIGUA]),
        (f"{OFFICE},", [OFFICE]),
    ],
)
def test_calls_may_go_where_the_setting_says(allowed: str | None, expected: list[str]) -> None:
    """Countries, beginnings of numbers, or anywhere; a country is more than its country code."""
    assert permitted(rule(allowed), OFFICE, LONDON, BERLIN, ANTIGUA) == expected


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ("US,GB", "GB,DE", [LONDON]),
        ("*", "GB", [LONDON]),
        ("GB", "*", [LONDON]),
        ("US", "DE", []),
        (None, "DE", [BERLIN]),
    ],
)
def test_a_number_has_to_pass_both_settings(configured: str | None, environment: str, expected: list[str]) -> None:
    """A stack, or a `linq.Provider`, cannot loosen what the environment demands."""
    assert permitted(rule(configured, environment), OFFICE, LONDON, BERLIN) == expected
    assert permitted(rule(configured, environment, provider="emea"), OFFICE, LONDON, BERLIN) == expected


def test_the_message_names_setting_and_country_and_no_number() -> None:
    """The message also says what would allow it."""
    assert rule("US").problem(LONDON) == (
        "is in the United Kingdom (+44), outside of linq:allowedForwardings; if the number is intended, add GB there"
    )
    assert rule(None, "US").problem(BERLIN) == (
        "is in Germany (+49), outside of LINQ_ALLOWED_FORWARDINGS; if the number is intended, add DE there"
    )
    assert "outside of linq:allowedForwardings and LINQ_ALLOWED_FORWARDINGS" in str(rule("US", "GB").problem(BERLIN))
    assert "linq:allowedForwardings of linq.Provider 'emea'" in str(rule("US", provider="emea").problem(BERLIN))
    assert rule("US").problem("+15555550100") == (
        "begins with +1, which several countries share, and is not allowed by linq:allowedForwardings; if the number is intended,"
        " add its first digits to linq:allowedForwardings"
    )
    assert rule("US").problem("+80012345678") == (
        "is in the international freephone service (+800), outside of linq:allowedForwardings"
    )


@pytest.mark.parametrize(
    ("allowed", "hint"), [("UK", "such as GB."), ("XX", "GB for the United Kingdom"), ("EU", "GB for the United")]
)
def test_a_country_that_is_none_is_refused(allowed: str, hint: str) -> None:
    """No number could ever satisfy it, so it must be a mistake."""
    with pytest.raises(ConfigurationError) as refused:
        rule(allowed)
    assert str(refused.value).startswith(f"linq:allowedForwardings names {allowed}, which is not a country.")
    assert hint in str(refused.value)


def test_the_rule_in_a_few_words() -> None:
    """As `doctor` and the info line of the preview show it."""
    assert UNRESTRICTED.summary == "anywhere but premium rate"
    assert rule("gb", "+1202,US").summary == "GB (linq:allowedForwardings); and +1202, US (LINQ_ALLOWED_FORWARDINGS)"


# Premium rate, lengths, country codes


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, []),
        ("US,DE", []),
        ("+1,+49", []),
        ("+1900", [PREMIUM]),
        ("+4990,US", [GERMAN_PREMIUM]),
        ("*", [PREMIUM, GERMAN_PREMIUM]),
    ],
)
def test_premium_rate_is_allowed_by_nothing_that_could_mean_something_else(
    allowed: str | None, expected: list[str]
) -> None:
    """Only `*`, or a prefix longer than the country code."""
    assert permitted(rule(allowed), PREMIUM, GERMAN_PREMIUM) == expected


def test_the_environment_can_forbid_the_premium_rate_that_a_stack_allows() -> None:
    """Settings only restrict: both must allow a number, and the message names the one that does not."""
    assert rule("*", "US").problem(PREMIUM) == (
        "is a premium-rate number in the United States (+1); to allow it, add * or the first"
        " digits of the number (+1 is not enough) to LINQ_ALLOWED_FORWARDINGS"
    )
    assert rule("*", "+1900").problem(PREMIUM) is None
    assert "linq:allowedForwardings" in str(UNRESTRICTED.problem(PREMIUM))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+1202555", "the United States (+1)"),
        ("+120255599991", "the United States (+1)"),
        ("+12", "the United States (+1)"),
        ("+25", None),
        ("+20255", "Egypt (+20)"),
        ("+4402071838750", "the United Kingdom (+44)"),
        ("+490301234567", "Germany (+49)"),
        ("+390612345678901", "Italy (+39)"),
        ("+800123", "the international freephone service (+800)"),
    ],
    ids=["local", "long", "two digits", "half a code", "short", "trunk 0", "German trunk 0", "Italy", "freephone"],
)
def test_a_length_that_its_country_does_not_have_is_refused(number: str, country: str | None) -> None:
    """Too long, too short, only dialled inside of an area, or with the 0 that is dialled inside of the country."""
    if country is None:
        assert UNRESTRICTED.problem(number) == "begins with a country code that does not exist"
        return
    assert str(UNRESTRICTED.problem(number)).startswith(
        f"has the wrong length for a phone number in {country}; to allow it, add * or the first digits"
    )
    assert rule("*").problem(number) is None
    assert rule(number).problem(number) is None


def test_an_italian_number_keeps_its_0() -> None:
    """In Italy the 0 is part of the number, also after the country code."""
    assert UNRESTRICTED.problem("+390612345678") is None


@pytest.mark.parametrize("number", ["+999123456", "+2101234567", "+99"])
def test_a_country_code_that_nobody_has_is_refused(number: str) -> None:
    """By every setting, also as a line."""
    assert (
        rule("*").problem(number) == rule("*").line_problem(number) == "begins with a country code that does not exist"
    )


def test_a_line_is_asked_for_its_length_only() -> None:
    """Where a line is has nothing to do with where calls may go."""
    assert rule("US").line_problem(LONDON) is None
    assert rule("US").line_problem(PREMIUM) is None
    assert UNRESTRICTED.line_problem("+20255") == (
        "has the wrong length for a phone number in Egypt (+20); if it is right, declare the line by phone_number_id"
    )
    assert rule("*").line_problem("+20255") is None


# Possible, but not in use


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+2025559999", "Egypt (+20)"),  # an American number without its 1
        ("+15555550100", "the United States (+1)"),
        (OFFICE, None),
        (PREMIUM, None),
        ("+1202555", None),
        ("+999123456", None),
    ],
)
def test_a_range_that_is_not_in_use_is_doubted_and_not_refused(number: str, country: str | None) -> None:
    """New ranges appear before the metadata knows them. A number that is refused is not also doubtful."""
    assert UNRESTRICTED.doubt(number) == country
    if country:
        assert UNRESTRICTED.problem(number) is None


def test_the_version_of_the_metadata_is_known() -> None:
    """That of the installed package."""
    assert metadata_version() == phonenumbers.__version__


# All numbers


def test_ten_thousand_numbers_get_a_verdict_and_none_is_repeated() -> None:
    """No traceback, and a sentence holds no more of the number than its country code."""
    draw = random.Random(16)
    rules = [rule(allowed) for allowed in (None, "US", "+49,GB", "*", "+1202")]
    for _ in range(10_000):
        number = f"+{draw.randrange(10, 10 ** draw.randint(2, 15)) or 1}"
        one = draw.choice(rules)
        for said in (one.problem(number), one.line_problem(number), one.doubt(number)):
            assert said is None or re.findall(r"\d{4}", said) == [], number


def test_every_country_has_a_name() -> None:
    """Each region and each service of the metadata, so that a message never shows a code alone."""
    assert set(COUNTRIES) == phonenumbers.SUPPORTED_REGIONS
    assert set(SERVICES) == phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.format_number(
            phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
            or phonenumbers.example_number(region),
            phonenumbers.PhoneNumberFormat.E164,
        )
        facts = look_up(example)
        assert facts is not None, region
        assert facts.country.startswith(COUNTRIES[facts.region or ""]), region


def test_the_metadata_is_not_loaded_before_a_number_is_looked_up() -> None:
    """`import linq_provider`, its provider and its command line stay cheap: 30 ms are saved in every process."""
    script = (
        "import sys, linq_provider, linq_provider.dynamic, linq_provider.provider.session, linq_provider.cli.commands;"
        "from linq_provider.config import Settings;"
        "Settings.load({'linq:allowedForwardings': 'US'});"
        "print('phonenumbers' in sys.modules);"
        "from linq_provider.core.destinations import UNRESTRICTED;"
        "UNRESTRICTED.problem('+12025559999');"
        "print('phonenumbers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
