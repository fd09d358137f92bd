"""`imdb-attention compare`: trains both modes under each preset with several seeds, and compares them."""
