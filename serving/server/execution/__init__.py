"""Running a signature: tensors, batching, sessions and warm-up."""
