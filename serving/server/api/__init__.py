"""The server's gRPC API, REST API, metrics and live page."""
