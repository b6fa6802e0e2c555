"""One verb per file: the table of contents of the method."""
