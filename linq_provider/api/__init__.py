"""Linq's API over HTTP; no other package depends on its details."""
