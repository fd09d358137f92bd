"""The pipeline beside the blog's plain script, measured on the same data; `make bench`."""

import os

# Before TensorFlow is imported: its native start-up lines say nothing of ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
