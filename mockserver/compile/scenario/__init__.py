"""The scenario file format: what each part of a file means, and what can be wrong with it."""
