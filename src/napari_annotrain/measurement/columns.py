"""What can be measured: each column is described once, for the file, the panel and the page in the docs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name
        In the file, with the unit at its end.
    title
        In a heading, short.
    unit
        In a heading, below the title; empty for numbers without one. Intensities are grey values; theirs names the
        channel.
    meaning
        One sentence.
    """

    name: str
    title: str
    unit: str
    meaning: str

    @property
    def words(self) -> str:
        """Title and unit, such as "area (µm²)" or "mean intensity c0"."""
        if self.name.startswith(INTENSITY):
            return f"{self.title} {INTENSITY} {self.unit.removeprefix(INTENSITY)}".strip()
        return f"{self.title} ({self.unit})" if self.unit else self.title


INTENSITY = "intensity"
_LONG = "Length of the ellipse that is as stretched as the object"
_COLUMNS = {
    made.name: made
    for made in (
        Column("image", "image", "", "Name of the image."),
        Column("label", "label", "", "Number of the object in the labels, or of the class."),
        Column("z", "z", "", "Plane in depth; counts from 0, as the slider does."),
        Column("t", "t", "", "Time point; counts from 0, as the slider does."),
        Column("z_um", "z", "µm", "Depth of the plane below the first one."),
        Column("t_s", "t", "s", "Time since the first time point."),
        Column("area_px", "area", "px", "Number of pixels."),
        Column("area_um2", "area", "µm²", "Area."),
        Column("area_percent", "area", "%", "Share of the plane that the class covers."),
        Column("perimeter_px", "perimeter", "px", "Length of the outline, holes included."),
        Column("perimeter_um", "perimeter", "µm", "Length of the outline, holes included; where pixels are square."),
        Column("equivalent_diameter_px", "diameter", "px", "Diameter of the disc of equal area."),
        Column("equivalent_diameter_um", "diameter", "µm", "Diameter of the disc of equal area."),
        Column("major_axis_px", "long axis", "px", f"{_LONG}, along its long axis."),
        Column("major_axis_um", "long axis", "µm", f"{_LONG}, along its long axis."),
        Column("minor_axis_px", "short axis", "px", f"{_LONG}, along its short axis."),
        Column("minor_axis_um", "short axis", "µm", f"{_LONG}, along its short axis."),
        Column("eccentricity", "eccentricity", "", "0 for a disc, near 1 for a needle."),
        Column("solidity", "solidity", "", "Area over the area of the convex hull: 1 without dents, less with them."),
        Column("orientation_deg", "angle", "°", "Of the long axis to the horizontal, counter-clockwise, 0 to 180."),
        Column("centroid_y_px", "y", "px", "Centre, from the top; the first pixel is at 0."),
        Column("centroid_x_px", "x", "px", "Centre, from the left; the first pixel is at 0."),
        Column("centroid_y_um", "y", "µm", "Centre, from the first pixel of the image down."),
        Column("centroid_x_um", "x", "µm", "Centre, from the first pixel of the image to the right."),
        Column("touches_border", "border", "", "Whether it touches the edge of the image, and may go on outside."),
        Column("intensity_mean", "mean", INTENSITY, "Mean grey value of its pixels."),
        Column("intensity_min", "min", INTENSITY, "Smallest grey value of its pixels."),
        Column("intensity_max", "max", INTENSITY, "Largest grey value of its pixels."),
        Column("intensity_sum", "sum", INTENSITY, "Sum of the grey values of its pixels."),
    )
}
#: The columns without those of the channels, in the order in which they stand.
FIXED = tuple(name for name in _COLUMNS if not name.startswith("intensity_"))
INTENSITIES = ("mean", "min", "max", "sum")


def numbered(name: str, n_channels: int) -> list[str]:
    """Names of the channels of an image: its own, numbered from 0 where there are several."""
    if n_channels == 1:
        return [name]
    return [f"{name}_c{k}".lstrip("_") for k in range(n_channels)]


def intensity_names(channel: str) -> list[str]:
    """Names of the columns of a channel; the only one of an image needs no name."""
    return [f"intensity_{what}_{channel}".rstrip("_") for what in INTENSITIES]


def column(name: str) -> Column:
    """What is known of a column, by its name."""
    if name in _COLUMNS:
        return _COLUMNS[name]
    _, what, channel = name.split("_", 2)
    one = _COLUMNS[f"intensity_{what}"]
    return replace(one, name=name, unit=channel, meaning=f"{one.meaning} Channel: {channel}.")


def in_order(names: Iterable[str]) -> list[str]:
    """Names of columns in the order in which they stand in a table: intensities last, in the order given."""
    found = list(dict.fromkeys(names))
    return [name for name in FIXED if name in found] + [name for name in found if name not in FIXED]


def mean_columns(names: Iterable[str]) -> list[str]:
    """The mean intensity of each channel among these columns."""
    return [name for name in names if name.startswith("intensity_mean")]
