"""The rules of forwarding: what is written, refused and cleared. Depends on neither Pulumi nor HTTP."""
