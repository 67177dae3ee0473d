"""What every provider process needs: its account, and how it works with the engine."""
