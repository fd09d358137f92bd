"""ModeSelector: chooses one of the two modes by paired statistics."""
