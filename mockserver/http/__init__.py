"""The wire: HTTP/1.1 in, responses out. It knows nothing of documents and scenarios."""
