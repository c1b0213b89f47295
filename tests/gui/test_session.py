from datetime import datetime

import pytest
from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import Facts, Session, Trained, what_next, why_not_predict, why_not_train, with_place


def test_a_change_is_told_and_checked():
    session, told = Session(), []
    session.events.status.connect(told.append)
    session.status = "Ready."
    assert told == ["Ready."]
    with pytest.raises(ValidationError):
        session.target = "something"


def test_models_are_kept_and_the_last_one_predicts():
    session = Session()
    first, second = Trained("model 1", object(), 0.5), Trained("model 2", object())
    session.keep(first)
    session.keep(second)
    assert session.models == (first, second)
    assert session.model is second


def test_any_model_that_is_kept_can_predict_again():
    session = Session()
    models = [Trained(f"model {k}", object(), 0.5) for k in range(1, 13)]
    for model in models:
        session.keep(model)
    session.go_back(models[4])
    assert session.model is models[4]
    assert session.models == tuple(models[2:])
    assert session.before is models[11]
    with pytest.raises(AnnotrainError, match="not kept any more"):
        session.go_back(models[0])
    assert Trained("model 3", None, 0.81, datetime(2026, 1, 2, 14, 5)).in_words() == "model 3 · score 0.81 · 14:05"


def test_a_new_class_gets_the_next_value_and_a_name():
    session = Session()
    assert session.add_class() == 2
    assert session.class_names == {0: "background", 1: "cell", 2: "class 2"}


READY = {"image": "cells", "annotation": True, "painted": {1: 10, 2: 10}}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "Open an image"),
        ({"image": "cells"}, "+ New layer"),
        (READY | {"painted": {}}, "Paint over a few cells"),
        (READY | {"painted": {1: 10}}, "Only background is painted"),
        (READY | {"painted": {2: 10}}, "Paint some background too"),
        (READY | {"painted": {2: 10}, "regions": 1}, "Ready"),
        (READY | {"painted": {2: 10, 3: 10}}, "Ready"),
        (READY | {"painted": {2: 10, 3: 10}, "target": "cells"}, "Paint some background too"),
        (READY | {"painted": {}, "regions": 1}, "Only background"),
        (READY, "Ready"),
        (READY | {"problem": "PyTorch is not installed."}, "PyTorch is not installed"),
        (READY | {"trained": True}, "Press What I see"),
        (READY | {"trained": True, "predicted": True}, "then press Train again."),
        (READY | {"trained": True, "predicted": True, "planes": 40}, "or predict the whole stack."),
    ],
)
def test_one_sentence_says_what_to_do_next(facts, words):
    assert words in what_next(Facts(**facts))


def test_a_sentence_says_where_its_button_is_where_that_is_not_shown():
    assert with_place("Ready: press Train.", {"Annotate"}).endswith("press All steps.")
    assert with_place("Ready: press Train.", {"Annotate", "Train"}) == "Ready: press Train."
    assert with_place("Paint some background too.", set()) == "Paint some background too."


def test_grey_buttons_have_a_reason():
    assert "no image" in why_not_train(Facts())
    assert "no annotation" in why_not_train(Facts(image="cells"))
    assert why_not_train(Facts(**READY)) == ""
    assert why_not_train(Facts(image="cells", others=1)) == ""
    assert "no model" in why_not_predict(Facts(**READY))
    assert why_not_predict(Facts(**READY, trained=True)) == ""
    assert "PyTorch" in why_not_train(Facts(**READY, problem="PyTorch is not installed."))
