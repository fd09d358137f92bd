"""Settings, graph, runners and commands; imports `components`, never the reverse."""
