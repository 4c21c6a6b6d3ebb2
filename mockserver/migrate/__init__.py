"""From other mock servers to this one: ``stubs`` and ``wiremock`` for WireMock, ``prism`` for Prism."""
