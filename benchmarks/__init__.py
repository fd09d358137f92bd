"""The pipeline beside the blog's plain script, measured on the same data; `make bench`."""
