"""Where resource state lives."""
