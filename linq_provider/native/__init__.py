"""The plugin pulumi-resource-linq: the package `linq` for every language of Pulumi, on the same core."""
