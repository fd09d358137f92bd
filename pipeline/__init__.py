"""Settings, graph, runner, reports and commands; imports `components`, never the reverse."""
