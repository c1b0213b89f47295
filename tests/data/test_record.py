import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.data.record import Finished, Record, piece_of

regions = st.lists(
    st.tuples(*[st.integers(0, 50)] * 4).map(lambda starts: tuple(slice(s, s + 1) for s in starts)), max_size=8
)


@given(regions, st.integers(0, 1000))
def test_what_was_added_is_finished_and_nothing_else(tmp_path_factory, added, last_id):
    record = Record(tmp_path_factory.mktemp("run"))
    for region in added:
        record.add(region, last_id)
    assert record.finished() == Finished(frozenset(map(piece_of, added)), last_id if added else 0)


@given(regions.filter(len), st.integers(1, 40))
def test_a_torn_last_line_counts_as_nothing_and_the_next_one_counts(tmp_path_factory, added, torn):
    folder = tmp_path_factory.mktemp("run")
    record = Record(folder)
    for region in added:
        record.add(region)
    lines = (folder / "finished.jsonl").read_bytes()
    (folder / "finished.jsonl").write_bytes(lines[: max(0, len(lines) - torn)])
    whole = lines[: max(0, len(lines) - torn)].count(b"\n")
    left = {piece_of(r) for r in added[:whole]}
    found = record.finished().pieces
    assert left <= found <= {piece_of(r) for r in added}
    last = (slice(90, 91), *added[-1][1:])
    record.add(last)
    assert record.finished().pieces == found | {piece_of(last)}


def test_a_part_of_a_plane_is_looked_up_by_where_it_lies(tmp_path):
    record = Record(tmp_path)
    record.add((slice(2, 3), slice(0, 1), slice(0, 64), slice(64, 128)), 7)
    finished = record.finished()
    assert finished.has(2, 0, (slice(0, 64), slice(64, 128)))
    assert not finished.has(2, 0, (slice(0, 32), slice(64, 128)))
    assert not finished.has(0, 2, (slice(0, 64), slice(64, 128)))
    assert finished.last_id == 7


def test_a_run_is_known_by_what_was_said_of_it(tmp_path):
    record = Record(tmp_path)
    assert record.about() is None
    record.begin({"model": "abc", "tile": 64})
    assert record.about() == {"model": "abc", "tile": 64}
    (tmp_path / "run.json").write_text('{"model": ')
    assert record.about() is None
    assert Record(tmp_path / "nowhere").about() is None


@pytest.mark.parametrize(
    "line", ["[1, 2]", '{"a": 1}', "7", '["a", 0, 0, 0, 0, 0, 0, 0, 0]', "[1, 2, 3, 4, 5, 6, 7, 8, 9", ""]
)
def test_lines_that_say_nothing_are_passed_over(tmp_path, line):
    (tmp_path / "finished.jsonl").write_text(f"{line}\n[0, 1, 0, 1, 0, 9, 0, 9, 3]\n")
    assert Record(tmp_path).finished() == Finished(frozenset({(0, 1, 0, 1, 0, 9, 0, 9)}), 3)
