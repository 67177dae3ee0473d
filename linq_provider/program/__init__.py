"""What stack code uses: the resources to declare, and the look-ups."""
