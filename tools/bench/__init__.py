"""What linq-provider costs, beside the engine itself and beside other ways to forward lines."""
