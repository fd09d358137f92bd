"""The server's flags and configuration files."""
