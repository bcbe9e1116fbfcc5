"""How good a network is, and why."""
