"""An OpenAPI-driven mock server with a scenario engine."""

__version__ = "0.1.0"
