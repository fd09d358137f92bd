"""Finds the model that the winner has to beat: the last winner that this pipeline blessed."""

from typing import Any, Final

from tfx.dsl.components.common import resolver
from tfx.types import Artifact, BaseChannel, Channel, standard_artifacts

from components.artifacts import is_blessed
from imdb_core.modes import SELECTED_MODE

CANDIDATE: Final = "candidate"
MODEL: Final = "model"
BLESSING: Final = "model_blessing"
LAST_BLESSED: Final = "LastBlessedChampion"


class LastBlessedChampion(resolver.ResolverStrategy):  # type: ignore[misc]  # TFX ships no types
    """Resolves the last blessed winner other than the candidate.

    TFX's LatestBlessedModelStrategy takes the newest blessed model of any producer, so also a mode that
    `Evaluator.modes` blessed. In a repeated run it returns the candidate itself, so that a cached evaluation is redone.
    """

    def resolve_artifacts(self, store: Any, input_dict: dict[str, list[Artifact]]) -> dict[str, list[Artifact]]:
        """Selects from the pipeline's artifacts of `model` and `model_blessing` one each, or none.

        `candidate`, the model of this run, is returned as given.
        """
        del store
        candidates = input_dict.get(CANDIDATE, [])
        blessings = {
            blessing.get_int_custom_property("current_model_id"): blessing
            for blessing in sorted(input_dict.get(BLESSING, []), key=lambda artifact: artifact.id)
            if is_blessed(blessing)
        }
        eligible = blessings.keys() - {artifact.id for artifact in candidates}
        champions = [
            model
            for model in input_dict.get(MODEL, [])
            if model.get_string_custom_property(SELECTED_MODE) and model.id in eligible
        ]
        # The last blessing counts, not the last model: an older model may have been blessed again.
        last = max(champions, key=lambda model: blessings[model.id].id, default=None)
        return {CANDIDATE: candidates, MODEL: [last] if last else [], BLESSING: [blessings[last.id]] if last else []}


def last_blessed_champion_node(candidate: BaseChannel) -> resolver.Resolver:
    """Builds the node that resolves `model` and `model_blessing` of the last blessed winner before `candidate`."""
    models, blessings = Channel(type=standard_artifacts.Model), Channel(type=standard_artifacts.ModelBlessing)
    inputs = {CANDIDATE: candidate, MODEL: models, BLESSING: blessings}
    return resolver.Resolver(strategy_class=LastBlessedChampion, **inputs).with_id(LAST_BLESSED)
