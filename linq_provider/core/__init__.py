"""The rules of forwarding: what is written, what is refused, what is cleared. Knows neither Pulumi nor HTTP."""
