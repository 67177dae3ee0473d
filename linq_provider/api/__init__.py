"""Linq's API over HTTP: the only package that knows it."""
