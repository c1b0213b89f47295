from typing import Annotated, Literal

from pydantic import Field

from napari_annotrain.specs.device import Device, Precision
from napari_annotrain.specs.spec import Spec, setting

Output = Literal["classes", "cells", "probabilities", "image", "uncertainty"]
Views = Literal["none", "flips", "flips and turns"]
Uncertainty = Literal["entropy", "augmentation", "dropout"]


class CellsSpec(Spec):
    """How cells are told apart; None is automatic, from the annotated cells or from what is found."""

    diameter_px: float | None = setting(
        None,
        "Cell diameter",
        "Of typical cells in this image; far from what the model knows, it is rescaled.",
        "px",
        start=30.0,
        ge=1,
        le=10_000,
    )
    threshold: float | None = setting(
        None,
        "Threshold",
        "Least probability that counts as a cell: lower for larger and more cells.",
        start=0.6,
        ge=0.01,
        le=0.99,
    )
    smoothing_px: float | None = setting(
        None, "Smoothing", "The more, the fewer cells are split at small bumps.", "px", start=2.0, ge=0, le=100
    )
    min_size_px: int | None = setting(None, "Smallest cell", "Smaller cells are dropped.", "px²", start=30, ge=0)
    largest_hole_px: int | None = setting(
        None, "Largest hole", "Holes in cells up to this area are filled; 0: none.", "px²", start=50, ge=0
    )


class PredictSpec(Spec):
    """Prediction by overlap-tiles."""

    output: Output | None = setting(None, "Show", "None: what the model was trained for.", advanced=False)
    tile: Annotated[int, Field(ge=1)] | Literal["auto", "whole"] = setting(
        "auto", "Tile", "Side of the written core; rounded up to the network's grid.", "px"
    )
    memory: int = setting(2_000_000_000, "Memory", "Most memory the process may use.", "bytes", ge=1)
    device: Device = setting("auto", "Device", "auto takes a GPU where there is one that works.")
    precision: Precision = setting("auto", "Precision", "auto takes what the device computes fastest.")
    augment: Views = setting(
        "none",
        "Turned views",
        "Mean of what the network makes of an image mirrored (4 times the time), or also turned (8 times).",
    )
    uncertainty: Uncertainty = setting(
        "entropy",
        "Uncertainty",
        "Entropy of the probabilities; or how far they spread over turned views, or over networks with dropout.",
    )
    samples: int = setting(16, "Dropout samples", "Networks with dropout that are compared.", ge=2, le=200)
    scheduler: str = setting(
        "", "Cluster", "Stacks are predicted by a dask cluster: tcp://..., or local:2 for two processes; empty: here."
    )
    cells: CellsSpec = CellsSpec()
