"""`imdb-attention compare`: both modes under each preset over several seeds."""
