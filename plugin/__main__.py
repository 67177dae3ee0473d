"""The plugin pulumi-resource-linq, as `runtime: python` starts it."""

from linq_provider.native.process import main

main()
