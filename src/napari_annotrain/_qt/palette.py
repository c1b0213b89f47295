import colorsys
from collections.abc import Mapping
from dataclasses import dataclass

#: Annotated background: soft, so that the cells stand out.
BACKGROUND = "#8a94a6"
#: Classes 1, 2, ...: far apart from each other, and most also for people who do not tell red from green.
CLASSES = ("#ff9f1c", "#2ec4f1", "#e754a6", "#f6e05e", "#3ddc97", "#a78bfa", "#ff5d5d", "#7dd3c0")


def class_colour(value: int) -> str:
    """Colour of a predicted class as "#rrggbb"; 0 is background."""
    if value <= 0:
        return BACKGROUND
    if value <= len(CLASSES):
        return CLASSES[value - 1]
    hue = (0.11 + 0.618034 * value) % 1.0  # the golden angle never comes back to where it was
    r, g, b = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.65, 0.95))
    return f"#{r:02x}{g:02x}{b:02x}"


@dataclass(frozen=True)
class Theme:
    """Colours of the window, as "#rrggbb"."""

    background: str = "#262930"
    foreground: str = "#414851"
    text: str = "#f0f1f2"
    faint: str = "#a0a6ae"
    accent: str = "#3f8fe0"
    error: str = "#ff6b6b"

    @property
    def light(self) -> bool:
        """Whether dark words stand on a light ground."""
        r, g, b = (int(self.background[i : i + 2], 16) for i in (1, 3, 5))
        return r + g + b > 3 * 128


def style(theme: Theme) -> str:
    """Style sheet of the panel on top of napari's own."""
    on_accent = "#ffffff"
    colours: Mapping[str, str] = {
        "faint": theme.faint if not theme.light else "#5c626b",
        "line": theme.foreground,
        "text": theme.text,
        "accent": theme.accent,
        "error": theme.error if not theme.light else "#b3261e",
    }
    return (
        "QLabel[faint=true] {{ color: {faint}; }}"
        "QLabel[problem=true] {{ color: {error}; }}"
        "#fold_header {{ background: transparent; border: none; border-top: 1px solid {line};"
        " border-radius: 0; padding: 0; margin: 0; text-align: left; }}"
        "#fold_title {{ font-weight: bold; background: transparent; }}"
        "#fold_summary, #fold_arrow {{ color: {faint}; background: transparent; }}"
        "QPushButton {{ padding: 4px 6px; }}"
        "QComboBox {{ padding: 3px 2px 3px 6px; }} QComboBox::drop-down {{ width: 22px; }}"
        "QPushButton#train_button:enabled {{ background: {accent}; color: " + on_accent + "; font-weight: bold; }}"
        "#first_steps_title, #key_name {{ font-weight: bold; }}"
        "#offer_frame, #notice_frame, #first_steps_card {{ border: 1px solid {accent}; border-radius: 3px; }}"
        "#status_frame {{ border: none; border-top: 1px solid {line}; }}"
        "QTableView {{ border: 1px solid {line}; gridline-color: transparent; }}"
        "#measure_table::item:selected, #compare_table::item:selected {{"
        " background: {accent}; color: " + on_accent + "; }}"
        "#compare_table QHeaderView::section {{ padding: 1px 0px; }} #compare_table::item {{ padding: 0px; }}"
        "QProgressBar {{ text-align: center; }}"
    ).format(**colours)
