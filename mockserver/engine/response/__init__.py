"""Responses from the document: selection, media type, body and header fields."""
