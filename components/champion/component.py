"""Finds the model to beat: the last one that this pipeline blessed."""

from typing import Any, Final

from tfx.dsl.components.common import resolver
from tfx.types import Artifact

from imdb_core.modes import SELECTED_MODE

CANDIDATE: Final = "candidate"
MODEL: Final = "model"
BLESSING: Final = "model_blessing"


class LastBlessedChampion(resolver.ResolverStrategy):  # type: ignore[misc]  # TFX ships no types
    """Resolves the last blessed winner other than the candidate.

    TFX's LatestBlessedModelStrategy takes the newest blessed model of any producer, so a mode that the modes'
    Evaluator blessed would pass for the champion; and it returns the candidate itself when a run is repeated, which
    would evaluate anew what is cached.
    """

    def resolve_artifacts(self, store: Any, input_dict: dict[str, list[Artifact]]) -> dict[str, list[Artifact]]:
        """Resolves from what the pipeline has produced so far.

        Args:
            store: unused.
            input_dict: `candidate`, the model of this run; `model` and `model_blessing`, all of the pipeline.

        Returns:
            `candidate` as given; `model` and `model_blessing` with one artifact each, or none.
        """
        del store
        candidates = input_dict.get(CANDIDATE, [])
        candidate_ids = {artifact.id for artifact in candidates}
        blessings = {
            blessing.get_int_custom_property("current_model_id"): blessing
            for blessing in sorted(input_dict.get(BLESSING, []), key=lambda artifact: artifact.id)
            if blessing.get_int_custom_property("blessed") == 1
        }
        champions = [
            model
            for model in input_dict.get(MODEL, [])
            if model.get_string_custom_property(SELECTED_MODE)
            and model.id in blessings
            and model.id not in candidate_ids
        ]
        # By blessing, not by model: an older model may have been blessed again.
        last = max(champions, key=lambda model: blessings[model.id].id, default=None)
        return {
            CANDIDATE: candidates,
            MODEL: [last] if last else [],
            BLESSING: [blessings[last.id]] if last else [],
        }
