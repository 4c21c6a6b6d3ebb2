"""Infer resources from a document: which operations create, read, list, change and delete the same thing."""
