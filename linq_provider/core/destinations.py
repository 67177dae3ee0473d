"""Where calls may be forwarded: not outside of what the settings allow, and never to what cannot be dialled.

The rules protect against toll fraud and typing mistakes. What a number is comes from Google's metadata, which is
imported only once a number is looked up. No text repeats a number: it may be secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from linq_provider.config import ANYWHERE, AllowedForwardings
from linq_provider.core.countries import COUNTRIES, SERVICES
from linq_provider.errors import ConfigurationError

UNSET = AllowedForwardings("linq:allowedForwardings", ())  # what a message names where nothing is set


@dataclass(frozen=True)
class PhoneNumberFacts:
    """What Google's metadata knows of a number in E.164 format.

    `region` is an ISO 3166 code, None where the countries of a country code share it and none has such a number.
    `dialable`: it has a length that such numbers have. `in_use`: its range is one that the metadata knows.
    """

    country_code: int
    region: str | None
    dialable: bool
    in_use: bool
    premium_rate: bool

    @property
    def country(self) -> str:
        """Its country, or the main one of its country code, and that code, as a sentence names them."""
        name = SERVICES.get(self.country_code) or COUNTRIES.get(self.region or _main_region(self.country_code))
        return f"{name} (+{self.country_code})" if name else f"the country of +{self.country_code}"


@dataclass(frozen=True)
class Destinations:
    """The rule of one account: a number has to pass every source that says something, and nothing else widens it."""

    allowed: tuple[AllowedForwardings, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no number could ever pass.

        Raises:
            ConfigurationError: a source names a country that is none.
        """
        for source in self.allowed:
            for entry in source.entries:
                if entry[0] not in "+*" and entry not in COUNTRIES:
                    hint = "GB" if entry == "UK" else "GB for the United Kingdom"
                    raise ConfigurationError(
                        f"{source.name} names {entry}, which is not a country.",
                        next_step=f"Write the two letters of ISO 3166, such as {hint}.",
                    )

    def problem(self, forwarding_number: str) -> str | None:
        """Why calls may not be forwarded to this number in E.164 format, or None where they may."""
        facts = look_up(forwarding_number)
        if facts is None:
            return "begins with a country code that nobody has"
        refusing = [source.name for source in self.allowed if not _permits(source, forwarding_number, facts)]
        if refusing:
            return _outside(" and ".join(refusing), facts)
        return self._special(forwarding_number, facts)

    def line_problem(self, phone_number: str) -> str | None:
        """Why this can be no line of an account, by its length, or None where it can."""
        facts = look_up(phone_number)
        if facts is None:
            return "begins with a country code that nobody has"
        if facts.dialable or not self._unlifted(phone_number, facts):
            return None
        return f"is not the length of a phone number in {facts.country}; a line can be declared by phone_number_id too"

    def doubt(self, forwarding_number: str) -> str | None:
        """The country that does not use such a number, as far as is known; None where nothing speaks against it."""
        facts = look_up(forwarding_number)
        return facts.country if facts and facts.dialable and not facts.in_use else None

    @property
    def summary(self) -> str:
        """The rule in a few words."""
        if not self.allowed:
            return "anywhere but premium rate"
        return "; and ".join(f"{', '.join(source.entries)} ({source.name})" for source in self.allowed)

    def _special(self, forwarding_number: str, facts: PhoneNumberFacts) -> str | None:
        """What only a setting allows that means just this."""
        unlifted = self._unlifted(forwarding_number, facts)
        if not unlifted or (facts.dialable and not facts.premium_rate):
            return None
        code, settings = facts.country_code, " and ".join(unlifted)
        way_out = f"only {ANYWHERE}, or a prefix longer than +{code}, in {settings} allows it"
        if facts.dialable:
            return f"is a premium-rate number in {facts.country}; {way_out}"
        return f"is not the length of a phone number in {facts.country}; {way_out}"

    def _unlifted(self, number: str, facts: PhoneNumberFacts) -> list[str]:
        """The settings that would have to allow this very number, and do not."""
        return [source.name for source in self.allowed or (UNSET,) if not _lifts(source, number, facts)]


UNRESTRICTED = Destinations()  # what holds where no setting says anything


def look_up(number: str) -> PhoneNumberFacts | None:
    """What is known of a number in E.164 format; None where nobody has its country code."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        if not (code := _country_code(number)):
            return None
        return PhoneNumberFacts(code, None, dialable=False, in_use=False, premium_rate=False)
    kind = phonenumbers.number_type(parsed)
    # A number with a 0 too many, as in +44 (0)20, is understood without it; but what is dialled is the number as it is.
    as_written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    return PhoneNumberFacts(
        country_code=parsed.country_code or 0,
        region=phonenumbers.region_code_for_number(parsed),
        dialable=possible and as_written,
        in_use=kind != phonenumbers.PhoneNumberType.UNKNOWN,
        premium_rate=kind == phonenumbers.PhoneNumberType.PREMIUM_RATE,
    )


def metadata_version() -> str:
    """Which version of Google's metadata is installed."""
    import phonenumbers

    return phonenumbers.__version__


@cache
def _main_region(country_code: int) -> str:
    import phonenumbers

    return phonenumbers.region_code_for_country_code(country_code)


def _country_code(number: str) -> int:
    """The country code that a number begins with, 0 where nobody has it; no country code begins another one."""
    import phonenumbers

    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return next((int(number[1:end]) for end in (2, 3, 4) if int(number[1:end]) in codes), 0)


def _permits(source: AllowedForwardings, number: str, facts: PhoneNumberFacts) -> bool:
    return any(
        entry in (ANYWHERE, facts.region) or (entry[0] == "+" and number.startswith(entry)) for entry in source.entries
    )


def _lifts(source: AllowedForwardings, number: str, facts: PhoneNumberFacts) -> bool:
    code = f"+{facts.country_code}"
    return any(entry == ANYWHERE or (number.startswith(entry) and len(entry) > len(code)) for entry in source.entries)


def _outside(sources: str, facts: PhoneNumberFacts) -> str:
    if facts.region is None:
        return (
            f"begins with +{facts.country_code}, which does not tell its country, so it is outside of {sources};"
            " if it is meant, add its first digits there"
        )
    add = f"; if it is meant, add {facts.region} there" if facts.region in COUNTRIES else ""
    return f"is in {facts.country}, outside of {sources}{add}"
