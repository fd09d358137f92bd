"""The lowest layer: what all other packages share. It imports none of them."""
