import json

from written_splits import write_split

from pipeline.graph.study import STUDY_NAME, seed_predictions_id, seed_trainer_id
from pipeline.history.runs import run_nodes
from pipeline.running.finished_run import FinishedRun
from pipeline.running.monitor import NodeUsage
from pipeline.settings import load_settings
from pipeline.study.run import _outcome

RUN = "2026-11-22T10:00:00.000003"
# Probabilities of the positive class: the scalar mode is right on two reviews, the vector mode on all three.
POSITIVE = {"baseline": (0.25, 0.25, 0.75), "candidate": (0.25, 0.75, 0.75)}


def test_the_outcome_of_a_preset_is_read_from_its_nodes(made):
    for mode in ("scalar", "vector"):
        outputs = {"model": "Model", "model_run": "ModelRun"}
        ids = made.execute(RUN, seed_trainer_id(mode, 7), outputs=outputs, pipeline=STUDY_NAME)
        (made.folder(ids["model_run"]) / "history.json").write_text(json.dumps({"loss": [0.5, 0.4, 0.3]}))
    node = seed_predictions_id(7)
    ids = made.execute(RUN, node, outputs={"predictions": "Examples"}, state="CACHED", pipeline=STUDY_NAME)
    rows = [
        {
            "id": f"made/{place}",
            "label": int(place > 0),
            **{role: [1 - row[place], row[place]] for role, row in POSITIVE.items()},
        }
        for place in range(3)
    ]
    write_split(made.folder(ids["predictions"]), "test", rows)
    names = [seed_trainer_id("scalar", 7), seed_trainer_id("vector", 7), node]
    nodes = run_nodes(made.connection, RUN, names)
    usages = [NodeUsage(names[0], 5.0, 900.4), NodeUsage(names[1], 0.1, 800.0, cached=True)]
    run = FinishedRun(RUN, load_settings(), made.workspace, nodes, usages, 9.0, 800.0, made.workspace / "log", {})

    outcome, predictions = _outcome(run, [7])
    assert predictions.ids.tolist() == [b"made/0", b"made/1", b"made/2"]
    assert outcome["executed"] == names[:2]
    scalar, vector = outcome["trainings"]
    assert (scalar["mode"], scalar["seed"], scalar["epochs"], scalar["peak_megabytes"]) == ("scalar", 7, 3, 900)
    assert (vector["mode"], vector["peak_megabytes"]) == ("vector", None)
    assert (scalar["accuracy"], vector["accuracy"]) == (2 / 3, 1)
    assert scalar["model"] == nodes[names[0]].outputs["model"][0].uri
    assert outcome["pairs"] == {"7": {"accuracy_difference": 1 / 3, "flip_rate": 1 / 3, "mcnemar_p": 1}}
