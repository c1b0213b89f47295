from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_annotrain._napari.runs.search import inside_of
from napari_annotrain._napari.viewer.part import lay_over
from napari_annotrain._napari.viewer.view import is_inside, region_of, shows_planes
from napari_annotrain._napari.viewer.watch import ViewWatch
from napari_annotrain._qt.lane import Lane, Run
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed, Region
from napari_annotrain.session import why_not_predict

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Key of the filters among the levels.
FILTERS = "filters"
#: What a look is about: image, array, axes, model, settings.
About = tuple[Any, ...]
#: What of a layer's place cannot follow another image.
FIXED = ("rotate", "shear", "affine", "units", "axis_labels")


@dataclass(frozen=True, eq=False)
class Inside:
    """What was found, and of what: feature maps of a region of an image, and the first filters (N, C, 3, 3).

    Of what was asked for, `region` is the middle where that is larger than can be looked at.
    """

    image: Any
    axes: str
    about: About
    asked: Region
    region: Region
    maps: Sequence[Any]
    filters: npt.NDArray[np.float32]

    def shows(self, about: About, region: Region) -> bool:
        """Whether that can be seen without looking anew."""
        return about == self.about and (region == self.asked or is_inside(region, self.region))


class InsideFlow:
    """What the network makes of the view: a feature map of any of its levels, or its first filters, as a layer."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._lane = Lane()
        self._watch: ViewWatch | None = None
        self._found: Inside | None = None
        self._tried: About = ()  # what the latest look was about, whatever came of it
        self._under_way: tuple[About, Region] | None = None
        self._layer: Any = lambda: None
        self._fixed: list[Any] = []
        self._level: Any = 0
        self._number = 0
        self.on = False

    @property
    def busy(self) -> bool:
        """Whether the network is being looked into."""
        return self._lane.busy

    def set_on(self, on: bool) -> None:
        """Show what the network makes of the view, or take the layer away."""
        if not on:
            self.on = False
            self._forget("")
            return
        reason = why_not_predict(self._c.facts())
        if reason:
            raise AnnotrainError(reason)
        self.on = True
        if self._watch is None:
            self._watch = ViewWatch(self._c.roster.viewer, self._c.guarded(self.look))
        self._watch.enabled = True
        self.look()

    def close(self, seconds: float) -> None:
        """Stop, and wait at most so long; the layer goes."""
        self._lane.close(seconds)
        self.on, self._found, self._tried, self._under_way = False, None, (), None
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._hide()

    def follow(self) -> None:
        """Look anew where another model, image or setting is worked with."""
        if self.on and self._watch is not None and self._about() != self._tried:
            self._watch.soon()

    def look(self) -> None:
        """Let the network look at the view, unless it has."""
        if not self.on or self._c.panel is None:
            return
        about = self._tried = self._about()
        region = self._region()
        if isinstance(region, str):
            self._forget(region)
        elif self._found is not None and self._found.shows(about, region):
            self._stop()  # looking at a place that was left again
        elif self._under_way != (about, region):
            self._run(about, region)

    def _about(self) -> About:
        """What is looked at, but for the place."""
        c = self._c
        image, model = c.image, c.session.model
        try:
            axes = c.roster.axes(image) if image is not None else ""
        except AnnotrainError:  # it cannot be used, as the step Image says
            axes = ""
        return id(image), id(getattr(image, "data", None)), axes, id(model), str(c.session.predict)

    def _region(self) -> Region | str:
        """What is looked at, or why nothing can be."""
        c = self._c
        reason, viewer = why_not_predict(c.facts()), c.roster.viewer
        if reason or c.image is None:
            return reason
        try:
            axes = c.roster.axes(c.image)
        except AnnotrainError as error:
            return str(error)
        if not shows_planes(viewer, c.image, axes):
            return "Show planes of Y and X in the flat view (2-D display) to look inside."
        seen = region_of(viewer, c.image, axes)
        return f"Nothing of {c.image.name} is in view: press Home to see it." if seen is None else seen

    def _run(self, about: About, region: Region) -> None:
        c = self._c
        image, trained = c.image, c.session.model
        assert image is not None
        assert trained is not None
        stack, measured, spec = c.roster.stack(image), c.roster.measured(image), c.session.predict
        axes, (t, z, y, x) = c.roster.axes(image), region
        found: list[Any] = []
        failed: list[str] = []

        def take(event: Event) -> None:
            if isinstance(event, Done):
                found.append(event.result)
            elif isinstance(event, Failed):
                failed.append(event.sentence)

        def end(stopped: bool) -> None:
            if stopped or not self.on:  # a newer one waits, or nobody does
                return
            self._under_way = None
            for sentence in failed:
                self._forget(sentence)
            for seen, maps, filters in found:
                self._found = Inside(image, axes, about, region, (t, z, *seen), maps, filters)
                self._show_levels()

        self._under_way = about, region
        self._lane.start(
            Run(
                lambda: inside_of(trained.model, stack, spec, measured, t.start, z.start, (y, x)),
                lambda: None,
                c.guarded(take),
                c.guarded(end),
                "annotrain-inside",
            )
        )

    def choose_level(self, level: Any) -> None:
        """Show another level."""
        self._level, self._number = level, 0
        self._show()

    def choose_map(self, number: int) -> None:
        """Show another map of the level."""
        self._number = number
        self._show()

    # -- showing ------------------------------------------------------------------------------------------------

    def _show_levels(self) -> None:
        assert self._c.panel is not None
        assert self._found is not None
        n = len(self._found.maps)
        if self._level != FILTERS:
            self._level = min(self._level, n - 1)
        levels: list[tuple[Any, str]] = [(FILTERS, "first filters")]
        levels += [(i, f"{level.level} · {len(level.maps)} maps") for i, level in enumerate(self._found.maps)]
        self._c.panel.models.inside.show_levels(levels, self._level)
        self._show()

    def _show(self) -> None:
        found, panel = self._found, self._c.panel
        if found is None or panel is None:
            return
        if self._level == FILTERS:
            picture, most = mosaic(found.filters), float(np.abs(found.filters).max())
            y, x = found.region[2:]
            pixel = (y.stop - y.start) / len(picture)
            corner = (y.start + (pixel - 1) / 2, x.start + (pixel - 1) / 2)
            self._draw(picture, corner, pixel, (-most, most))
            panel.models.inside.show_maps(0, 0)
            panel.models.inside.show_words(
                f"{len(found.filters)} filters of 3 × 3 px over the view: bright adds, dark takes away."
            )
            return
        level = found.maps[self._level]
        order = level.most_varied_first
        self._number = min(self._number, len(order) - 1)
        picture = level.maps[order[self._number]]
        self._draw(picture, level.origin, level.pixel, (float(picture.min()), float(picture.max())))
        panel.models.inside.show_maps(len(order), self._number)
        panel.models.inside.show_words(f"One pixel of this map is {level.pixel:.3g} px of the image.")

    def _draw(self, picture: npt.NDArray[Any], origin: tuple[float, float], pixel: float, limits: Any) -> None:
        """Show (Y, X) values over the view."""
        assert self._found is not None
        roster, image = self._c.roster, self._found.image
        t, z, _, _ = self._found.region
        data, place = lay_over(image, self._found.axes, (t.start, z.start), origin, pixel, picture)
        limits = limits if limits[1] > limits[0] else (limits[0], limits[0] + 1)
        layer, fixed = self._layer(), [image.name, *(np.asarray(place[key]).tolist() for key in FIXED)]
        if layer is not None and layer in roster.viewer.layers and fixed == self._fixed:
            layer.data = data
            layer.scale, layer.translate = place["scale"], place["translate"]
            layer.contrast_limits_range = layer.contrast_limits = limits
            return
        self._hide()
        look = {"contrast_limits": limits, "colormap": "viridis", "interpolation2d": "nearest"}
        made = Image(data, name=f"{image.name} inside", metadata={"annotrain": "inside"}, **look, **place)
        self._layer, self._fixed = ref(made), fixed
        roster.insert(len(roster.viewer.layers), made)

    def _forget(self, why: str) -> None:
        """Show nothing, and say why."""
        self._stop()
        self._found = None
        if self._watch is not None:
            self._watch.enabled = self.on
        self._hide()
        if self._c.panel is not None:
            self._c.panel.models.inside.show_nothing(why)

    def _stop(self) -> None:
        self._lane.stop()
        self._under_way = None

    def _hide(self) -> None:
        layer, viewer = self._layer(), self._c.roster.viewer
        if layer is not None and viewer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)


def mosaic(filters: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Filters (N, C, 3, 3) beside each other, a row of all channels for as many as make a square; gaps are NaN."""
    n, channels, height, width = filters.shape
    columns = max(1, round(np.sqrt(n / channels)))
    rows = -(-n // columns)
    out = np.full((rows * (height + 1) - 1, columns * channels * (width + 1) - 1), np.nan, np.float32)
    for i in range(n):
        for c in range(channels):
            y, x = i // columns * (height + 1), (i % columns * channels + c) * (width + 1)
            out[y : y + height, x : x + width] = filters[i, c]
    return out
