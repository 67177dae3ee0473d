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
from linq_provider.program.fleet import ForwardingRoster, PhoneNumberForwardings, load_roster
from linq_provider.program.forwarding import PhoneNumberForwarding, Provider
from linq_provider.program.lookup import PhoneNumber, get_phone_number, get_phone_numbers

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
