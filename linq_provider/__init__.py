"""linq-provider: where calls to Linq phone numbers are forwarded, declared in Pulumi programs."""

from linq_provider._version import __version__
from linq_provider.dynamic import PhoneNumberForwarding, Provider
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    APIError,
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    LinqError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RefusedError,
)

__all__ = [
    "APIConnectionError",
    "APIConnectionTimeoutError",
    "APIError",
    "APIResponseValidationError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "InternalServerError",
    "LinqError",
    "NotFoundError",
    "PermissionDeniedError",
    "PhoneNumberForwarding",
    "Provider",
    "RateLimitError",
    "RefusedError",
    "__version__",
]
