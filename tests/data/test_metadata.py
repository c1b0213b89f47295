import pytest

from napari_annotrain.data.metadata import name_axes, to_um
from napari_annotrain.errors import AnnotrainError


@pytest.mark.parametrize(
    ("value", "unit", "um"),
    [
        (0.25, "micrometer", 0.25),
        ("0.25", "µm", 0.25),
        (0.25, "\\u00B5m", 0.25),
        (0.25, " Micron ", 0.25),
        (250, "nm", 0.25),
        (250, "nanometer", 0.25),
        (2500, "angstrom", 0.25),
        (0.00025, "mm", 0.25),
        (0.25, None, None),
        (0.25, "pixel", None),
        (0.25, "", None),
        (0, "um", None),
        (-1, "um", None),
        (float("nan"), "um", None),
        (float("inf"), "um", None),
        (None, "um", None),
        ("wide", "um", None),
    ],
)
def test_lengths(value, unit, um):
    assert to_um(value, unit) == (None if um is None else pytest.approx(um))


@pytest.mark.parametrize(
    ("value", "unit", "seconds"), [(2, "minute", 120), (500, "ms", 0.5), (3, "s", 3), (3, "um", None)]
)
def test_times(value, unit, seconds):
    assert to_um(value, unit, "T") == seconds


@pytest.mark.parametrize(
    ("letters", "shape", "axes"),
    [
        ("YX", (9, 8), "YX"),
        ("YXS", (9, 8, 3), "YXC"),
        ("QYX", (5, 9, 8), "ZYX"),
        ("IYX", (5, 9, 8), "ZYX"),
        ("QYX", (5, 9, 3), "ZYX"),
        ("QYXS", (5, 9, 8, 3), "ZYXC"),
        ("QZYX", (5, 4, 9, 8), "TZYX"),
        ("QCYX", (5, 2, 9, 8), "ZCYX"),
        ("QQYX", (5, 2, 9, 8), "ZCYX"),
        ("QQYX", (7, 5, 9, 8), "TZYX"),
        ("QQQYX", (7, 2, 5, 9, 8), "TCZYX"),
        ("tczyx", (7, 2, 5, 9, 8), "TCZYX"),
    ],
)
def test_axes_of_files(letters, shape, axes):
    assert name_axes(letters, shape) == axes


@pytest.mark.parametrize("letters", ["CYXS", "QQQQYX", "ZY", "QTCZYX"])
def test_axes_without_a_place_are_refused(letters):
    with pytest.raises(AnnotrainError, match="at most one axis each"):
        name_axes(letters, (2,) * len(letters))
