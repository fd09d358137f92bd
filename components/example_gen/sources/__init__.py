"""Sources of reviews: finding, downloading and reading them row by row."""
