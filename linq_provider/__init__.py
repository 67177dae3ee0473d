"""linq-provider: where calls to Linq phone numbers are forwarded, declared in Pulumi programs."""

from linq_provider._version import __version__
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    APIError,
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    FleetError,
    InternalServerError,
    LinqError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RefusedError,
)
from linq_provider.lookup import PhoneNumber, get_phone_number, get_phone_numbers
from linq_provider.program import PhoneNumberForwarding, Provider
from linq_provider.program_fleet import ForwardingRoster, PhoneNumberForwardings, load_roster

__all__ = [
    "APIConnectionError",
    "APIConnectionTimeoutError",
    "APIError",
    "APIResponseValidationError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "FleetError",
    "ForwardingRoster",
    "InternalServerError",
    "LinqError",
    "NotFoundError",
    "PermissionDeniedError",
    "PhoneNumber",
    "PhoneNumberForwarding",
    "PhoneNumberForwardings",
    "Provider",
    "RateLimitError",
    "RefusedError",
    "__version__",
    "get_phone_number",
    "get_phone_numbers",
    "load_roster",
]
