"""Requests: read and validate the parameters, the body and the credentials."""
