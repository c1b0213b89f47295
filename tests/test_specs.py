import pytest
from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import (
    PRESETS,
    AugmentSpec,
    CellsSpec,
    LossSpec,
    NetSpec,
    NormaliseSpec,
    PredictSpec,
    Spec,
    TrainSpec,
    WeightSpec,
    find_preset,
    parse_memory,
)


@pytest.mark.parametrize(
    "spec", [NetSpec, NormaliseSpec, AugmentSpec, WeightSpec, LossSpec, TrainSpec, PredictSpec, CellsSpec]
)
def test_every_setting_says_its_title_and_why(spec):
    for name, field in spec.model_fields.items():
        if isinstance(field.default, Spec):
            continue
        assert field.title, name
        assert field.description, name
        assert "unit" in field.json_schema_extra, name


def test_settings_are_frozen_and_refuse_unknown_names():
    with pytest.raises(ValidationError):
        NetSpec().width = 3
    with pytest.raises(ValidationError):
        NetSpec(widht=3)


def test_the_presets_are_those_of_the_design():
    assert [PRESETS[name].net.width for name in ("fast", "standard", "paper")] == [16, 32, 64]
    assert PRESETS["paper"].net.padding == "valid"
    assert (PRESETS["paper"].train.optimiser, PRESETS["paper"].train.momentum) == ("sgd", 0.99)
    with pytest.raises(AnnotrainError, match="fast, standard, paper"):
        find_preset("quick")


def test_training_needs_a_limit():
    with pytest.raises(ValidationError):
        TrainSpec(seconds=None, steps=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2GB", 2 * 10**9),
        ("500 MB", 5 * 10**8),
        ("1.5GiB", 3 * 2**29),
        ("1000", 1000),
        (7, 7),
        ("3k", 3000),
        ("1t", 10**12),
    ],
)
def test_memory_is_read_as_people_write_it(text, expected):
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "two GB", "2 gold", "0", "nan", "1e400GB", "inf"])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(AnnotrainError, match="like 2GB"):
        parse_memory(text)
