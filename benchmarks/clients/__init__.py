"""Round trips that clients which others have published make against stateful data."""
