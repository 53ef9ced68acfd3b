"""The web: pages, an HTTP API and metrics over the use cases. Parse, call one use case, render."""
