"""The two attention modes, and the roles they play where they are compared."""

from typing import Final, Literal

Mode = Literal["scalar", "vector"]
SCALAR: Final = "scalar"
VECTOR: Final = "vector"
MODES: Final[tuple[Mode, ...]] = (SCALAR, VECTOR)

# TFMA's names for two models, and ours for the features that hold their predictions.
CANDIDATE: Final = "candidate"
BASELINE: Final = "baseline"

# What each mode is where the modes are compared.
ROLES: Final[dict[Mode, str]] = {SCALAR: BASELINE, VECTOR: CANDIDATE}

# A custom property that only the winner's model carries.
SELECTED_MODE: Final = "selected_mode"
