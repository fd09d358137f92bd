from components.serving_check import check
from imdb_core.signatures import INPUTS


def test_every_signature_is_compared_with_the_trained_model():
    assert check._COMPARED.keys() == INPUTS.keys()
