"""The native package with the names of the dynamic one, so that a test can run the same program over both."""

from __future__ import annotations

import copy
from typing import Any

import pulumi

from linq_provider import load_roster  # noqa: F401

DYNAMIC = "pulumi-python:dynamic/linq:"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _options(opts: pulumi.ResourceOptions | None, type_: str) -> pulumi.ResourceOptions:
    """The options as the schema's SDKs have them: names in camelCase, and the dynamic type as an alias."""
    opts = copy.copy(opts) or pulumi.ResourceOptions()
    for option in ("ignore_changes", "replace_on_changes", "additional_secret_outputs"):
        if getattr(opts, option):
            setattr(opts, option, [_camel(path) if "[" not in path else path for path in getattr(opts, option)])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=DYNAMIC + type_)]))


class PhoneNumberForwarding(pulumi.CustomResource):
    """One line."""

    phone_number_id: pulumi.Output[str]
    phone_number: pulumi.Output[str]
    forwarding_number: pulumi.Output[str]

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        props = dict.fromkeys(("phone_number_id", "phone_number", "forwarding_number")) | inputs
        opts = _options(opts, "PhoneNumberForwarding")
        super().__init__("linq:index:PhoneNumberForwarding", resource_name, props, opts)

    @staticmethod
    def get(resource_name: str, id: str, opts: pulumi.ResourceOptions | None = None) -> PhoneNumberForwarding:
        """A line that is managed elsewhere."""
        return PhoneNumberForwarding(resource_name, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id)))

    def translate_input_property(self, prop: str) -> str:
        """The schema's spelling."""
        return _camel(prop)

    def translate_output_property(self, prop: str) -> str:
        """Python's spelling."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in prop)


class PhoneNumberForwardings(PhoneNumberForwarding):
    """Many lines."""

    forwardings: pulumi.Output[dict[str, str]]

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        if isinstance(inputs.get("overwrite"), list):
            inputs["overwrite_lines"] = inputs.pop("overwrite")
        opts = _options(opts, "PhoneNumberForwardings")
        props = {"forwardings": None} | inputs
        pulumi.CustomResource.__init__(self, "linq:index:PhoneNumberForwardings", resource_name, props, opts)


class Provider(pulumi.ProviderResource):
    """One account."""

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **settings: Any) -> None:
        super().__init__("linq", resource_name, {_camel(name): value for name, value in settings.items()}, opts)


def get_phone_numbers() -> pulumi.Output[Any]:
    """Every line."""
    return pulumi.Output.from_input(pulumi.runtime.invoke_async("linq:index:getPhoneNumbers", {}))


def get_phone_number(line: str) -> pulumi.Output[Any]:
    """One line."""
    return pulumi.Output.from_input(pulumi.runtime.invoke_async("linq:index:getPhoneNumber", {"line": line}))
