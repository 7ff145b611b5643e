"""The unpickler of strangers' files: reads what tables hold, refuses the rest by name, runs nothing, stays small."""

import bz2
import collections
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.hostile import ARRAY_CASES, BOMBS, BROKEN, CALLS, CANARY
from tierwise.errors import BadTable
from tierwise.importers.decompress import pieces
from tierwise.importers.pickled_numpy import PickledArray
from tierwise.importers.unpickle import load, loads

CORPUS = {**CALLS, **BOMBS, **BROKEN}
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=300)
)
TABLES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(
            st.one_of(st.text(max_size=8), st.integers(0, 300), st.tuples(st.text(), st.integers(0, 9))), inner
        ),
        st.tuples(ATOMS, ATOMS),
        st.sets(st.integers(0, 99)),
    ),
    max_leaves=40,
)

AUDITED = """
import sys, resource
from tests.importers.hostile import ARRAY_CASES, BOMBS, BROKEN, CALLS, CANARY
from tierwise.errors import BadTable
from tierwise.importers.unpickle import loads
import collections, numpy  # what the allow-list is about is there before anything is watched

seen = []
sys.addaudithook(lambda event, args: seen.append((event, args)))
limit = {limit} << 20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for name, (data, _) in {{**CALLS, **BOMBS, **BROKEN}}.items():
    data = data.replace(CANARY, {canary!r})
    del seen[:]
    try:
        loads(data, name, arrays=name in ARRAY_CASES)
    except BadTable:
        pass
    else:
        sys.exit(f"{{name}} was read")
    if seen:
        sys.exit(f"{{name}}: {{seen[:3]}}")
# not ru_maxrss: that of a child begins with the size of its parent
print("all refused", next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_pickle_is_refused_and_what_it_wanted_is_named(name):
    data, wanted = CORPUS[name]
    if name == "posix.system, protocol 0":
        data = b"\x80\x04" + data  # without the protocol the first opcode is read as well
        wanted = "posix.system"
    with pytest.raises(BadTable) as caught:
        loads(data, "stranger.pickle", arrays=name in ARRAY_CASES)
    assert wanted in str(caught.value)
    assert caught.value.source == "stranger.pickle"


def test_the_corpus_would_do_harm_if_it_were_unpickled_as_usual(tmp_path):
    for name in ("os.system", "posix.system", "builtins.eval", "subprocess", "builtins.exec"):
        canary = tmp_path / "c"
        length = len(CANARY) - len(str(canary).encode())
        path = str(canary).encode() if length <= 0 else str(canary).encode() + b"x" * length
        data = _redirected(CALLS[name][0], path)
        subprocess.run([sys.executable, "-c", f"import pickle; pickle.loads({data!r})"], check=True)
        made = list(tmp_path.iterdir())
        assert len(made) == 1, name
        made[0].unlink()


def test_the_whole_corpus_executes_nothing_and_stays_in_a_small_memory(tmp_path):
    canary = (tmp_path / "x").as_posix().encode()
    code = AUDITED.format(limit=3000, canary=canary)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("all refused"), done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
    assert int(done.stdout.split()[-1]) < 400 * 1024  # kilobytes, with numpy and the corpus itself


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@settings(max_examples=60, deadline=None)
@given(value=TABLES)
def test_what_python_pickles_of_plain_values_comes_back(protocol, value):
    if protocol == 2 and _holds_set(value):  # sets are a call of a builtin there
        return
    if protocol == 3 and _holds_set(value):
        return
    assert loads(pickle.dumps(value, protocol), "own") == value


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("renamed", [False, True])
def test_ordered_dicts_and_numpy_scalars_of_old_and_new_numpy_come_back_as_python_values(protocol, renamed):
    given_ = collections.OrderedDict(
        a=np.float64(0.1),
        b=np.float32(2.5),
        c=np.int64(-3),
        d=np.bool_(True),
        e=[np.float64(0.1)] * 3,
        f=np.str_("cell"),
    )
    data = pickle.dumps(given_, protocol)
    if renamed:
        data = _old_numpy(data, protocol)
    found = loads(data, "own")
    assert found == {"a": 0.1, "b": 2.5, "c": -3, "d": True, "e": [0.1] * 3, "f": "cell"}
    assert type(found) is dict
    assert type(found["a"]) is float


def test_big_endian_scalars_are_read_in_their_order():
    assert loads(pickle.dumps(np.dtype(">f8").type(1.5).astype(">f8"), 4), "own") == 1.5
    array = np.array([1.0, 2.0, 3.0], dtype=">f4")
    found = loads(pickle.dumps(array, 4), "own", arrays=True)
    assert np.array_equal(found.values, array)


@pytest.mark.parametrize("array", [np.arange(6.0), np.asfortranarray(np.arange(6).reshape(2, 3)), np.zeros(0)])
def test_arrays_of_numbers_are_read_where_they_are_expected_and_only_there(array):
    data = pickle.dumps({"latency": array}, 4)
    found = loads(data, "own", arrays=True)["latency"]
    assert type(found) is PickledArray
    assert np.array_equal(found.values, array)
    with pytest.raises(BadTable, match="_reconstruct"):
        loads(data, "own")


def test_a_pickle_in_many_pieces_is_the_same_as_in_one():
    value = {"cells": ["|op~0|" * 100] * 3, "table": {k: k / 7 for k in range(5000)}}
    data = pickle.dumps(value, 4)
    for size in (1, 7, 300, 4096):
        cut = (data[k : k + size] for k in range(0, len(data), size))
        assert load(cut, "own") == value


def test_shrink_sees_every_dict_and_may_leave_out_what_is_not_needed():
    value = {"a": {k: float(k) for k in range(200)}, "b": 1}

    def shrink(found):
        if len(found) == 200:
            last = found[199]
            found.clear()
            found["last"] = last

    assert load(iter((pickle.dumps(value, 4),)), "own", shrink=shrink) == {"a": {"last": 199.0}, "b": 1}


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_give_a_value_or_bad_table_and_nothing_else(data):
    _read_or_refuse(data)
    _read_or_refuse(b"\x80\x04" + data)


SEEDED = [data for data, _ in CORPUS.values() if len(data) < 2000] + [
    pickle.dumps(collections.OrderedDict(a=np.float64(1), b={("x", 1): [1.0, 2]}), p) for p in (3, 4)
]


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(SEEDED), st.data())
def test_changed_pickles_give_a_value_or_bad_table_and_nothing_else(data, draw):
    data = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        if data:
            place = draw.draw(st.integers(0, len(data) - 1))
            data[place : place + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=3))
    _read_or_refuse(bytes(data))


def test_a_bzip2_bomb_is_stopped_at_the_ratio_and_at_the_limit(tmp_path):
    bomb = tmp_path / "bomb.pickle.pbz2"
    bomb.write_bytes(bz2.compress(b"\x80\x04" + bytes(60 << 20)))
    with pytest.raises(BadTable, match="expands more than 100 times"):
        list(pieces(bomb, 1 << 40))
    with pytest.raises(BadTable, match="more than 1,048,576 bytes"):
        list(pieces(bomb, 1 << 20))
    plain = tmp_path / "large.pickle"
    plain.write_bytes(bytes(3 << 20))
    with pytest.raises(BadTable, match="more than 1,048,576 bytes"):
        list(pieces(plain, 1 << 20))


def test_compressed_files_are_read_also_in_several_streams_and_refused_when_cut_or_changed(tmp_path):
    data = pickle.dumps({"cells": [str(k) for k in range(50_000)]}, 4)
    path = tmp_path / "a.pickle.pbz2"
    half = len(data) // 2
    path.write_bytes(bz2.compress(data[:half]) + bz2.compress(data[half:]))
    assert b"".join(pieces(path, 1 << 24)) == data
    whole = bz2.compress(data)
    for broken, problem in (
        (whole[:-20], "ends early"),
        (whole + b"tail", "follow the compressed"),
        (whole[:2000] + b"\x00\x01\x02" + whole[2003:], "not a readable bzip2"),
    ):
        path.write_bytes(broken)
        with pytest.raises(BadTable, match=problem):
            list(pieces(path, 1 << 24))


def _read_or_refuse(data):
    for arrays in (False, True):
        try:
            loads(data, "fuzz", arrays=arrays)
        except BadTable as error:
            assert error.source == "fuzz"


def _redirected(data: bytes, path: bytes) -> bytes:
    """The canary's path put in, with the length byte of the text that holds it."""
    at = data.index(CANARY)
    start = data.rindex(b"\x8c", 0, at)
    content = data[start + 2 : start + 2 + data[start + 1]].replace(CANARY, path)
    return data[:start] + b"\x8c" + bytes([len(content)]) + content + data[start + 2 + data[start + 1] :]


def _old_numpy(data: bytes, protocol: int) -> bytes:
    """The same pickle as numpy 1 writes it; frames are hints and may be too long by a byte only inside a file."""
    if protocol == 3:
        return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    stream = io.BytesIO()
    stream.write(data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"))
    return stream.getvalue()


def _holds_set(value) -> bool:
    return b"set\n" in pickle.dumps(value, 2) or b"set" in pickle.dumps(value, 3)
