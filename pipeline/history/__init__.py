"""What past runs did, read from ML Metadata."""
