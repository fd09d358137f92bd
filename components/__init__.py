"""The nodes of the pipeline and the pure functions inside them."""
