"""ServingCheck: serves the winner before it is pushed, and compares its answers with the trained model's."""
