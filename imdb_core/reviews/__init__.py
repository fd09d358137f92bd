"""Reads reviews from whatever people have: the one reader of training data and of reviews to predict.

- `reading.read_reviews` reads a file of any format, compression and encoding, or an archive of such files.
- `rows` has what it yields: rows, rejected rows, what was found in a file, and what was left out.
- `columns` has the usual names of columns, for `auto`.
"""
