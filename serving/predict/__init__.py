"""`imdb-attention predict` and `explain`: the commands around the client."""
