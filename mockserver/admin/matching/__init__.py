"""WireMock's request patterns for recorded calls, and verification."""
