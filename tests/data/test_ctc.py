import pytest

from napari_annotrain.data.ctc import slice_index, truth_folder
from napari_annotrain.data.pairs import pair_files
from napari_annotrain.errors import AnnotrainError

WORDS = ("prediction", "truth")


@pytest.fixture
def fill(tmp_path):
    """Make a folder of empty files of these names."""

    def make(folder, *names):
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).touch()
        return tmp_path / folder

    return make


def names(pairs):
    return [(image.name, truth.name) for image, truth in pairs]


@pytest.mark.parametrize(
    ("results", "truths"),
    [
        (["mask000.tif", "mask001.tif"], ["man_seg000.tif", "man_seg001.tif"]),
        (["t000.tif", "t001.tif"], ["man_seg000.tif", "man_seg001.tif"]),
        (["t0998.tif", "t1002.tif"], ["man_seg0998.tif", "man_seg1002.tif"]),
        (["mask998.tif", "mask1002.tif"], ["man_seg0998.tif", "man_seg1002.tif"]),
        (["mask000.ome.tif", "mask001.png"], ["man_seg000.tif", "man_seg001.tif"]),
        (["mask003.tif", "mask003.tif", "mask010.tif"], ["man_seg_003_05.tif", "man_seg_003_12.tif", "man_seg010.tif"]),
    ],
)
def test_the_frame_number_pairs(fill, results, truths):
    found, true = fill("01_RES", *results), fill("01_GT/SEG", *truths)
    pairs, notes = pair_files(found, true, WORDS)
    assert sorted(names(pairs)) == sorted(zip(results, truths, strict=True))
    assert notes == []


@pytest.mark.parametrize("name", ["01_GT", "01_GT/SEG", "01_ST", "01_ST/SEG"])
def test_gold_and_silver_truth_are_found_in_their_folder(fill, tmp_path, name):
    images = fill("01", "t000.tif", "t001.tif")
    for truth in ("01_GT", "01_ST"):
        fill(f"{truth}/SEG", "man_seg001.tif")
        fill(f"{truth}/TRA", "man_track000.tif")
    ((_, truth),), _ = pair_files(images, tmp_path / name)
    assert truth == tmp_path / name[:5] / "SEG" / "man_seg001.tif"


def test_only_truth_of_the_challenge_is_looked_for_in_seg(fill, monkeypatch):
    labels = fill("labels", "a.tif")
    fill("labels/SEG", "a.tif")
    assert truth_folder(labels) == labels
    assert truth_folder(fill("02_GT", "man_seg000.tif")).name == "02_GT"
    monkeypatch.chdir(fill("01_GT/SEG").parent)
    assert truth_folder(".").name == "SEG"


def test_frames_without_truth_and_truths_without_result_are_one_note_each(fill):
    found = fill("01_RES", *(f"mask{k:03}.tif" for k in range(10)), "res_track.txt")
    true = fill("01_GT/SEG", "man_seg002.tif", "man_seg007.tif", "man_seg010.tif")
    pairs, notes = pair_files(found, true, WORDS)
    assert names(pairs) == [("mask002.tif", "man_seg002.tif"), ("mask007.tif", "man_seg007.tif")]
    assert notes == [
        "8 predictions are left out, without truth of the same frame: "
        "mask000.tif, mask001.tif, mask003.tif, mask004.tif and 4 more.",
        "1 truth is left out, without prediction of the same frame: man_seg010.tif.",
    ]


def test_other_files_between_them_are_left_out(fill):
    found, true = fill("out", "t001.tif", "mean.tif"), fill("SEG", "man_seg001.tif", "man_track001.tif", "sum.tif")
    pairs, notes = pair_files(found, true, WORDS)
    assert names(pairs) == [("t001.tif", "man_seg001.tif")]
    assert [note.split(":")[1] for note in notes] == [" mean.tif.", " man_track001.tif, sum.tif."]


def test_one_file_against_a_folder(fill):
    found, true = fill("01_RES", "mask001.tif", "mask002.tif"), fill("SEG", "man_seg001.tif", "man_seg002.tif")
    assert names(pair_files(found / "mask002.tif", true)[0]) == [("mask002.tif", "man_seg002.tif")]
    assert names(pair_files(found, true / "man_seg001.tif")[0]) == [("mask001.tif", "man_seg001.tif")]


def test_equal_stems_go_before_frames(fill):
    names_in_both = ["man_seg001.tif", "man_seg002.tif"]
    pairs, notes = pair_files(fill("found", *names_in_both, "t001.tif"), fill("SEG", *names_in_both), WORDS)
    assert names(pairs) == list(zip(names_in_both, names_in_both, strict=True))
    assert notes == ["1 prediction is left out, without truth of the same name: t001.tif."]


@pytest.mark.parametrize(
    ("results", "truths", "words"),
    [
        (
            ["mask000.tif"],
            ["man_seg003.tif"],
            r"No prediction .* the one for man_seg003\.tif mask003\.tif or t003\.tif\.$",
        ),
        (["cells.tif"], ["man_seg_012_05.tif"], r"name the one for man_seg_012_05\.tif mask012\.tif or t012\.tif\.$"),
        (["mask000.tif"], ["man_track000.tif"], r"named like any prediction .* the same, mask000\.tif"),
        (["mask001.tif", "t001.tif"], ["man_seg001.tif"], r"mask001\.tif and t001\.tif in .* are the same frame: keep"),
        (["t001.tif"], ["man_seg001.tif", "man_seg0001.tif"], "are the same frame: keep one of them"),
        (["t001.tif"], [], "no image in the folder .*SEG: put TIFF"),
    ],
)
def test_what_does_not_match_is_said_in_one_sentence(fill, results, truths, words):
    with pytest.raises(AnnotrainError, match=words) as error:
        pair_files(fill("01_RES", *results), fill("01_GT/SEG", *truths).parent, WORDS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "index"),
    [("man_seg_003_05.tif", 5), ("man_seg_0003_0015.tif", 15), ("man_seg003.tif", None), ("cells_003_05.tif", None)],
)
def test_the_slice_that_a_truth_is_of(name, index):
    assert slice_index(name) == index
