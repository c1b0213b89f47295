from torch import Tensor, nn

from napari_annotrain.net.blocks import initialise, make_block, make_dropout
from napari_annotrain.net.down import Halved
from napari_annotrain.net.maps import crop_like, trim
from napari_annotrain.net.skips import make_merge, merge_skip
from napari_annotrain.net.up import make_up
from napari_annotrain.specs import NetSpec
from napari_annotrain.tiles.geometry import BEYOND, margins_needed


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox 2015, figure 1) or one of its relatives, built from a spec.

    A contracting path of `depth` levels (two 3 x 3 convolutions, ReLU, 2 x 2 max pooling, twice the feature maps),
    an expanding path (2 x 2 transposed convolution, concatenation with the cropped feature maps of the same level,
    two 3 x 3 convolutions), and a 1 x 1 convolution to the score maps. Each of these parts can be chosen otherwise::

        x -> down[0] ------------------------------- skip --> merge[-1] -> head -> scores
                | halve[0]                              up[-1] |
             down[1] ------------------- skip --> merge[-2] ---'
                | halve[1]                  up[-2] |
                '-> ...        bottom        ... --'

    With skips ``scores`` the head comes right after the bottom, and only score maps go up. A network that halves
    nothing is all bottom.

    Input (B, C, Y, X) with sides that `tiles.geometry` allows; output (B, K, Y', X'), unnormalised scores.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        widths = [spec.width * 2**level for level in range(spec.levels + 1)]
        inputs = [spec.channels, *widths[:-1]]
        self.down = nn.ModuleList(make_block(spec, i, o) for i, o in zip(inputs[:-1], widths[:-1], strict=True))
        self.bottom = make_block(spec, inputs[-1], widths[-1])
        if spec.levels < spec.depth:
            more = (make_block(spec, spec.width, spec.width) for _ in range(spec.depth))
            self.bottom = nn.Sequential(self.bottom, *more)
        self.halve = nn.ModuleList(Halved(spec, width) for width in widths[:-1])
        self.dropout = make_dropout(spec)
        self._head_first = spec.skips == "scores"
        going_up = [spec.outputs] * len(widths) if self._head_first else widths
        pairs = list(zip(going_up[1:], going_up[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(make_up(spec, deep, skip) for deep, skip in pairs)
        self.merge = nn.ModuleList(make_merge(spec, width) for width in widths[-2::-1])
        self.head = nn.Conv2d(widths[-1] if self._head_first else spec.width, spec.outputs, 1)
        initialise(self, spec)

    def forward(self, x: Tensor, margin: int = 0) -> Tensor:
        """Scores of every class, (B, K, Y', X'), for images (B, C, Y, X).

        With a margin (padded networks; a multiple of the grid, at least the reach) only the core inside it comes
        back. The contracting path sees all of it, but each level of the expanding path is cut to what the core
        needs (`tiles.geometry.margins_needed`), so that its expensive upper levels do not pay for the deep ones.
        """
        levels = self.spec.levels
        skips: list[tuple[Tensor, Tensor | None]] = []
        for level, (convolutions, halve) in enumerate(zip(self.down, self.halve, strict=True)):
            x = convolutions(x)
            # dropout at the end of the contracting path, section 3.1: before its last two levels
            skip = self.dropout(x) if level == levels - 1 else x
            x, largest = halve(skip)
            skips.append((skip, largest))
        x = self.dropout(self.bottom(x))
        x = self.head(x) if self._head_first else x
        kept = margin // 2**levels
        needed = margins_needed(self.spec) if margin else [0] * levels
        for level, up, merge in zip(reversed(range(levels)), self.up, self.merge, strict=True):
            skip, largest = skips.pop()
            x = up(x, None if largest is None else crop_like(largest, x))
            if self.spec.padding == "valid":
                x = trim(x, BEYOND[self.spec.up])  # what was read beyond the edge, where there is nothing
            if margin:
                x, skip = trim(x, 2 * kept - needed[level]), trim(skip, margin // 2**level - needed[level])
                kept = needed[level]
            x = merge_skip(self.spec.skips, merge, skip, x)
        x = trim(x, kept)
        return x if self._head_first else self.head(x)
