"""A network behind a port: HTTP and JSON, by the standard library alone."""
