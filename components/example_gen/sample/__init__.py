"""The built-in sample: reviews that a grammar invents."""
