"""The back end: runs a Plan. Never imports the front end."""
