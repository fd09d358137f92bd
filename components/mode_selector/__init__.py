"""ModeSelector: selects one of the two modes by paired statistics."""
