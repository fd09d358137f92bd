"""Types of the arrays that the modules of the Explainer exchange."""

from typing import Any

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
