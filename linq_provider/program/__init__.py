"""What a Pulumi program uses: the resources that it declares, and the look-ups."""
