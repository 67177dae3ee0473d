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
    InternalServerError,
    LinqError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RefusedError,
)
from linq_provider.program import PhoneNumberForwarding, Provider

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
