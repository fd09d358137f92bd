"""ServingCheck: serves the winner before it is pushed, and compares the answers."""
