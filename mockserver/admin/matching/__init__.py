"""Request patterns in WireMock's words, run over recorded calls."""
