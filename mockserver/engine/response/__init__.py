"""What the document says of responses: which one, in which media type, with which body and header fields."""
