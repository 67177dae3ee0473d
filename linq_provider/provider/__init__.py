"""What every provider process needs: its account, and its manners towards the engine."""
