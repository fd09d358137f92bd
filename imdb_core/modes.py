"""The two attention modes, and their roles in a comparison."""

from typing import Final, Literal

Mode = Literal["scalar", "vector"]
SCALAR: Final = "scalar"
VECTOR: Final = "vector"
MODES: Final[tuple[Mode, ...]] = (SCALAR, VECTOR)

# TFMA's names of the two models of a comparison; also the names of the features with their predictions.
CANDIDATE: Final = "candidate"
BASELINE: Final = "baseline"

# The role of each mode when the modes are compared.
ROLES: Final[dict[Mode, str]] = {SCALAR: BASELINE, VECTOR: CANDIDATE}

# A custom property that only the winner's Model artifact has.
SELECTED_MODE: Final = "selected_mode"
