"""A file per wire format."""
