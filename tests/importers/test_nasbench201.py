"""NAS-Bench-201's .pth files, saved by torch of real numbers in both of its file formats."""

import copy
import sys

import pytest

from tests.importers import official
from tierwise.errors import BadTable, MissingExtra
from tierwise.importers import nasbench201
from tierwise.importers.nasbench201 import NASBench201File

torch = pytest.importorskip("torch", reason="torch reads .pth files")
ROWS = [0, 1, 857, 6111, 15_624]
SOME = NASBench201File(complete=False)


def content(nb201, rows=ROWS):
    infos = {row: {"less": official.state(nb201, row, 12), "full": official.state(nb201, row, 200)} for row in rows}
    return {**official.meta(nb201), "arch2infos": infos, "evaluated_indexes": set(rows)}


def save(value, path, zipped):
    torch.save(copy.deepcopy(value), path, _use_new_zipfile_serialization=zipped)
    if not zipped:
        path.write_bytes(official.old_numpy(path.read_bytes()))
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_new_and_of_old_torch_and_numpy_is_read_with_the_numbers_that_were_written(tmp_path, nb201, zipped):
    path = save(content(nb201), tmp_path / "NAS-Bench-201-v1_1-096897.pth", zipped)
    if not zipped:
        assert b"cnumpy.core.multiarray\nscalar" in path.read_bytes()
    assert SOME.recognise(path, path.read_bytes()[:4096])
    ((following, part),) = SOME.parts(path, 0, official.ignore)
    assert following == 15_625
    official.check(part, nb201, ROWS)


def test_a_renamed_file_is_recognised_by_its_content_and_foreign_files_are_not(tmp_path, nb201):
    path = save(content(nb201, [0]), tmp_path / "results.pth", False)
    assert SOME.recognise(path, path.read_bytes()[:4096])
    foreign = tmp_path / "weights.pth"
    torch.save({"weight": torch.zeros(3)}, foreign)
    assert not SOME.recognise(foreign, foreign.read_bytes()[:4096])
    assert not SOME.recognise(tmp_path / "nas-bench-201.csv", b"arch,accuracy\n")


def test_parts_are_blocks_and_go_on_from_any_start(tmp_path, nb201, monkeypatch):
    monkeypatch.setattr(nasbench201, "BLOCK", 2)
    path = save(content(nb201), tmp_path / "a.pth", True)
    parts = list(SOME.parts(path, 0, official.ignore))
    assert [part.rows.tolist() for _, part in parts] == [[0, 1], [857, 6111], [15_624]]
    again = list(SOME.parts(path, parts[0][0], official.ignore))
    assert [part.rows.tolist() for _, part in again] == [[857, 6111], [15_624]]


def test_a_file_that_calls_something_is_not_read_and_nothing_runs(tmp_path):
    class Evil:
        def __reduce__(self):
            return (eval, (f"open({str(tmp_path / 'canary')!r}, 'w')",))

    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    for zipped in (True, False):
        torch.save({"meta_archs": [], "arch2infos": Evil()}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(BadTable, match="does not read it as plain data"):
            list(SOME.parts(path, 0, official.ignore))
        assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.pop("arch2infos"), "arch2infos"),
        (lambda c: c["arch2infos"].update({20_000: {}}), "0 to 15624"),
        (lambda c: c["arch2infos"].update({5: {}}), 'neither "less" nor "full"'),
        (lambda c: c["arch2infos"].update({5: copy.deepcopy(c["arch2infos"][0])}), "architecture 0 under another"),
        (lambda c: c["arch2infos"][857]["full"].pop("all_results"), "no sound all_results (rows 857)"),
    ],
)
def test_content_that_is_not_the_benchmarks_is_refused(tmp_path, nb201, change, problem):
    value = content(nb201, [0, 857])
    change(value)
    path = save(value, tmp_path / "a.pth", True)
    with pytest.raises(BadTable) as caught:
        list(SOME.parts(path, 0, official.ignore))
    assert problem in str(caught.value)


def test_an_incomplete_file_and_a_cut_one_are_refused(tmp_path, nb201):
    path = save(content(nb201, [0]), tmp_path / "a.pth", True)
    with pytest.raises(BadTable, match="15,624 of 15,625 architectures are missing"):
        list(NASBench201File().parts(path, 0, official.ignore))
    for zipped in (True, False):
        save(content(nb201, [0]), path, zipped)
        path.write_bytes(path.read_bytes()[:-5000])
        with pytest.raises(BadTable):
            list(SOME.parts(path, 0, official.ignore))


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    path = tmp_path / "a.pth"
    path.write_bytes(b"PK")
    with pytest.raises(MissingExtra, match="torch"):
        list(SOME.parts(path, 0, official.ignore))
