"""Where calls may be forwarded: only where the settings allow, and never to a number that cannot be dialled.

The rules protect against toll fraud and typing mistakes. The facts about numbers come from Google's metadata, which is
imported only when a number is looked up. No text repeats a number, because it may be secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from linq_provider.config import ANYWHERE, AllowedForwardings
from linq_provider.core.countries import COUNTRIES, SERVICES
from linq_provider.errors import ConfigurationError

if TYPE_CHECKING:
    import phonenumbers

# How many numbers are remembered: check and create look each of them up, three times in all, and phonenumbers is slow.
REMEMBERED = 32_768
UNSET = AllowedForwardings("linq:allowedForwardings", ())  # what a message names if nothing is set


@dataclass(frozen=True)
class PhoneNumberFacts:
    """What Google's metadata says about a number in E.164 format; looked up when it is asked for.

    `dialable`: the number has a valid length. `parsed`: None if no country of the country code has such a number.
    """

    country_code: int
    dialable: bool
    parsed: phonenumbers.PhoneNumber | None

    @cached_property
    def region(self) -> str | None:
        """ISO 3166 code; None if several countries share the country code and none of them has such a number."""
        import phonenumbers

        return phonenumbers.region_code_for_number(self.parsed) if self.parsed else None

    @cached_property
    def in_use(self) -> bool:
        """Whether the metadata knows the range of the number."""
        import phonenumbers

        return self._kind != phonenumbers.PhoneNumberType.UNKNOWN

    @cached_property
    def premium_rate(self) -> bool:
        """Whether calls to the number cost extra."""
        import phonenumbers

        return self._kind == phonenumbers.PhoneNumberType.PREMIUM_RATE

    @cached_property
    def _kind(self) -> int:
        import phonenumbers

        return phonenumbers.number_type(self.parsed) if self.parsed else phonenumbers.PhoneNumberType.UNKNOWN

    @property
    def country(self) -> str:
        """Its country, or the main country of its country code, with that code, for a sentence."""
        name = SERVICES.get(self.country_code) or COUNTRIES.get(self.region or _main_region(self.country_code))
        return f"{name} (+{self.country_code})" if name else f"the country of +{self.country_code}"


@dataclass(frozen=True)
class Destinations:
    """The rule of one account: a number must be allowed by every source that sets `allowedForwardings`."""

    allowed: tuple[AllowedForwardings, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a rule that no number could satisfy.

        Raises:
            ConfigurationError: a source names a country that does not exist.
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
        """Why calls may not be forwarded to this number in E.164 format; None if they may."""
        facts = look_up(forwarding_number)
        if facts is None:
            return "begins with a country code that does not exist"
        refusing = [source.name for source in self.allowed if not _permits(source, forwarding_number, facts)]
        if refusing:
            return _outside(" and ".join(refusing), facts)
        return self._special(forwarding_number, facts)

    def line_problem(self, phone_number: str) -> str | None:
        """Why this cannot be a line of an account, judged by its country code and length; None if it can."""
        facts = look_up(phone_number)
        if facts is None:
            return "begins with a country code that does not exist"
        if facts.dialable or not self._unlifted(phone_number, facts):
            return None
        return (
            f"has the wrong length for a phone number in {facts.country};"
            " if it is right, declare the line by phone_number_id"
        )

    def doubt(self, forwarding_number: str) -> str | None:
        """The country of a number whose range is not known to be in use; None for other numbers."""
        facts = look_up(forwarding_number)
        return facts.country if facts and facts.dialable and not facts.in_use else None

    @property
    def summary(self) -> str:
        """The rule in a few words."""
        if not self.allowed:
            return "anywhere but premium rate"
        return "; and ".join(f"{', '.join(source.entries)} ({source.name})" for source in self.allowed)

    def _special(self, forwarding_number: str, facts: PhoneNumberFacts) -> str | None:
        """Why a number needs a setting that allows exactly this kind of number; None if it does not."""
        unlifted = self._unlifted(forwarding_number, facts)
        if not unlifted or (facts.dialable and not facts.premium_rate):
            return None
        code, settings = facts.country_code, " and ".join(unlifted)
        way_out = f"to allow it, add {ANYWHERE} or the first digits of the number (+{code} is not enough) to {settings}"
        if facts.dialable:
            return f"is a premium-rate number in {facts.country}; {way_out}"
        return f"has the wrong length for a phone number in {facts.country}; {way_out}"

    def _unlifted(self, number: str, facts: PhoneNumberFacts) -> list[str]:
        """The settings that do not allow this number explicitly."""
        return [source.name for source in self.allowed or (UNSET,) if not _lifts(source, number, facts)]


UNRESTRICTED = Destinations()  # the rule if nothing is set


@lru_cache(REMEMBERED)
def look_up(number: str) -> PhoneNumberFacts | None:
    """The facts about a number in E.164 format; None if its country code is not assigned."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        if not (code := _country_code(number)):
            return None
        return PhoneNumberFacts(code, dialable=False, parsed=None)
    # The parser drops a superfluous 0, as in +44 (0)20, but calls are dialled to the number as written.
    as_written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    return PhoneNumberFacts(parsed.country_code or 0, dialable=possible and as_written, parsed=parsed)


def metadata_version() -> str:
    """Which version of Google's metadata is installed."""
    import phonenumbers

    return phonenumbers.__version__


@cache
def _main_region(country_code: int) -> str:
    import phonenumbers

    return phonenumbers.region_code_for_country_code(country_code)


def _country_code(number: str) -> int:
    """The country code of a number, 0 if it is not assigned; no country code is the beginning of another one."""
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
            f"begins with +{facts.country_code}, which several countries share, and is not allowed by {sources};"
            f" if the number is intended, add its first digits to {sources}"
        )
    add = f"; if the number is intended, add {facts.region} there" if facts.region in COUNTRIES else ""
    return f"is in {facts.country}, outside of {sources}{add}"
