"""The models of a server: versions, their life cycle, and the labels that point at them."""
