"""What a request says: parameters, body, credentials, and whether they keep to the document."""
