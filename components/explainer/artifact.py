"""The artifact of `Explainer`."""

from tfx.types.artifact import Artifact


class Explanations(Artifact):  # type: ignore[misc]  # TFX ships no types
    """A folder with `explanations.json`; docs/adr/0014-explainer.md says what stands in it."""

    TYPE_NAME = "Explanations"
