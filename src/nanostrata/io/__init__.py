"""The border: files to domain objects and back; the only place where units are converted."""
