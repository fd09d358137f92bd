"""Benchmarks the pipeline against the blog's plain script on the same data; `make bench`."""

import os

from imdb_core.start import pin_keras

pin_keras(os.environ)
# Silences the start-up lines of TensorFlow's native code; it must be set before TensorFlow is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
