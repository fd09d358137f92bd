"""The nodes of the pipeline and the pure functions inside them."""

import os

from imdb_core.start import pin_keras

# Any module in here may be the first that imports Keras, in whatever process.
pin_keras(os.environ)
