"""Generators of values for templates: Faker's values, identifiers and tokens, and X.509 certificates.

Each value follows from the seed and what identifies the resource, so it is the
same after a restart and on every replica.
"""
