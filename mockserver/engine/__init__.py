"""The back end: it serves a Plan, and never imports the front end (``compile``, ``admin``)."""
