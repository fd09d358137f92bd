"""The commands `imdb-attention predict` and `explain`, built on the client library."""
