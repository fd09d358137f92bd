"""The page that a run leaves: what came out, how sure it is, and where it came from."""
