"""Looked-up facts with their origin: X-ray factors, media, crystal structures."""
