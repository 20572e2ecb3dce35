"""Features: files, numpy views, refusals."""

import numpy as np
import pytest

import blindscope
from blindscope import Features
from blindscope.errors import BlindscopeError, DataError


def rows(n=6, width=4):
    return np.arange(n * width, dtype=np.float32).reshape(n, width) / 7


def labelled():
    names = ["b", "a", "b", None, "a", "b"]
    return Features.from_arrays(rows(), labels=names, ids=[f"t{i}" for i in range(6)], groups=[0, 0, 1, 1, 2, 2])


def test_a_saved_file_reads_the_same(tmp_path):
    made = labelled()
    made.save(tmp_path / "f.safetensors")
    read = Features.read(tmp_path / "f.safetensors")
    np.testing.assert_array_equal(read.x, rows())
    assert read.y.tolist() == [1, 0, 1, -1, 0, 1]
    assert (read.classes, read.ids, read.groups.tolist()) == (["a", "b"], made.ids, [0, 0, 1, 1, 2, 2])
    read.save(tmp_path / "g.safetensors")
    assert (tmp_path / "f.safetensors").read_bytes() == (tmp_path / "g.safetensors").read_bytes()


def test_the_matrix_is_a_view_that_outlives_its_owner_and_refuses_writes():
    x = labelled().x  # the Features object has no other reference
    assert not x.flags.owndata and not x.flags.writeable
    np.testing.assert_array_equal(x, rows())
    with pytest.raises(ValueError):
        x[0, 0] = 1
    with pytest.raises(ValueError):
        x.flags.writeable = True
        x[0, 0] = 1


def test_numpy_files_are_imported(tmp_path):
    np.save(tmp_path / "m.npy", rows())
    (tmp_path / "labels.csv").write_text("path,label\n" + "".join(f"{i},c{i % 2}\n" for i in range(6)))
    read = Features.read(tmp_path / "m.npy", labels=tmp_path / "labels.csv")
    np.testing.assert_array_equal(read.x, rows())
    assert read.y.tolist() == [0, 1, 0, 1, 0, 1]


def test_columns_are_named_where_they_have_no_usual_name(tmp_path):
    (tmp_path / "m.csv").write_text("stem,area,perimeter,kind\n" + "".join(f"t{i},{i},{i / 2},k{i % 2}\n" for i in range(4)))
    (tmp_path / "list.csv").write_text("what,diagnosis\n" + "".join(f"t{i},c{i}\n" for i in reversed(range(4))))
    read = Features.read(tmp_path / "m.csv", columns=["perimeter", "area"], id_column="stem", label_column="kind")
    assert read.x.tolist() == [[i / 2, i] for i in range(4)]
    assert (read.ids, read.classes, read.y.tolist()) == (["t0", "t1", "t2", "t3"], ["k0", "k1"], [0, 1, 0, 1])
    named = dict(columns=["area", "perimeter"], labels=tmp_path / "list.csv", path_column="what", label_column="diagnosis")
    joined = Features.read(tmp_path / "m.csv", id_column="stem", **named)
    assert [joined.classes[i] for i in joined.y] == ["c0", "c1", "c2", "c3"]
    with pytest.raises(DataError, match="stem"):
        Features.read(tmp_path / "m.csv", **named)  # what may be ids is not joined by order in silence
    ordered = Features.read(tmp_path / "m.csv", by_order=True, **named)
    assert [ordered.classes[i] for i in ordered.y] == ["c3", "c2", "c1", "c0"]


def test_an_option_that_can_mean_nothing_is_refused(tmp_path):
    np.save(tmp_path / "m.npy", rows())
    for option in (dict(columns=["a"]), dict(id_column="a"), dict(path_column="a"), dict(label_column="a"), dict(by_order=True)):
        with pytest.raises(DataError, match="--" + next(iter(option)).replace("_", "-")):
            Features.read(tmp_path / "m.npy", **option)
    assert len(Features.read(tmp_path / "m.npy", mixed_scales=True)) == 6  # a permission, which nothing needs here


@pytest.mark.parametrize(
    "call",
    [
        lambda: Features.read("/no/such/file.npy"),
        lambda: Features.from_arrays(np.array([[1.0, np.nan]])),
        lambda: Features.from_arrays(rows(), labels=["a"]),
        lambda: Features.from_arrays(rows(), labels=["a"] * 6, classes=["b"]),
        lambda: Features.from_arrays(rows(), backbone="abc"),
        lambda: labelled().select([6]),
    ],
)
def test_refusals_are_of_one_family_and_say_something(call):
    with pytest.raises(DataError) as refused:
        call()
    assert isinstance(refused.value, BlindscopeError) and len(str(refused.value)) > 20


def test_selected_rows_keep_their_names():
    some = labelled().select([4, 0])
    assert some.ids == ["t4", "t0"] and some.y.tolist() == [0, 1]
    np.testing.assert_array_equal(some.x, rows()[[4, 0]])


def test_the_version_is_a_version():
    assert blindscope.__version__.count(".") == 2
