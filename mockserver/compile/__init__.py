"""The front end: documents and scenario files → Plan. Allowed to be slow, never at run time."""
