"""The data of inferred resources: what clients write, other clients read."""
