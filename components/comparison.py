"""Names of what is compared: the modes with each other, then the winner with the last champion."""

from typing import Final

from components import reviews

# TFMA's names for two models, and ours for the features that hold their predictions.
CANDIDATE: Final = "candidate"
BASELINE: Final = "baseline"

# What each mode is where the modes are compared.
ROLES: Final[dict[reviews.Mode, str]] = {reviews.SCALAR: BASELINE, reviews.VECTOR: CANDIDATE}

# A custom property that only the winner's model carries.
SELECTED_MODE: Final = "selected_mode"
