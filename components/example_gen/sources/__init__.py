"""Sources of reviews: finds, downloads and reads them row by row."""
