"""Pickles that want something else than to be read: name -> (bytes, what the refusal must name).

Those that call something would leave a mark: they make the file whose path is in them.
"""

import pickle
import struct

CANARY = b"CANARY_PATH"


def text(value: bytes) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value


def named(module: bytes, name: bytes) -> bytes:
    return text(module) + text(name) + b"\x93"


def called(module: bytes, name: bytes, *arguments: bytes) -> bytes:
    """Protocol 4: module.name(*arguments)."""
    return b"\x80\x04" + named(module, name) + b"(" + b"".join(text(a) for a in arguments) + b"tR."


TOUCH = b"touch " + CANARY
OPEN = b"open('" + CANARY + b"','w')"
DTYPE = named(b"numpy", b"dtype")
SCALAR = named(b"numpy._core.multiarray", b"scalar")
ORDERED = named(b"collections", b"OrderedDict")
F8 = DTYPE + text(b"f8") + b"\x89\x88\x87R"
RECONSTRUCT = named(b"numpy._core.multiarray", b"_reconstruct") + named(b"numpy", b"ndarray") + b"K\x00\x85C\x01b\x87R"

CALLS: dict[str, tuple[bytes, str]] = {
    "os.system": (called(b"os", b"system", TOUCH), "os.system"),
    "posix.system": (called(b"posix", b"system", TOUCH), "posix.system"),
    "posix.system, protocol 2": (
        b"\x80\x02cposix\nsystem\n(X" + struct.pack("<I", 17) + TOUCH + b"tR.",
        "posix.system",
    ),
    "posix.system, protocol 0": (b"cposix\nsystem\n(S'" + TOUCH + b"'\ntR.", "posix.system"),
    "posix.system by INST": (b"(S'" + TOUCH + b"'\niposix\nsystem\n.", "STRING"),
    "INST alone": (b"(iposix\nsystem\n.", "INST"),
    "posix.system by OBJ": (b"\x80\x04(" + named(b"posix", b"system") + text(TOUCH) + b"o.", "posix.system"),
    "OBJ of an allowed class": (b"\x80\x04(" + ORDERED + b"o.", "OBJ"),
    "subprocess": (called(b"subprocess", b"getoutput", TOUCH), "subprocess.getoutput"),
    "builtins.eval": (called(b"builtins", b"eval", OPEN), "builtins.eval"),
    "builtins.exec": (called(b"builtins", b"exec", OPEN), "builtins.exec"),
    "builtins.open": (called(b"builtins", b"open", CANARY, b"w"), "builtins.open"),
    "builtins.getattr": (
        b"\x80\x04" + named(b"builtins", b"getattr") + ORDERED + text(b"__init__") + b"\x86R.",
        "getattr",
    ),
    "python 2 name": (called(b"__builtin__", b"eval", OPEN), "__builtin__.eval"),
    "importlib": (called(b"importlib", b"import_module", b"antigravity"), "importlib.import_module"),
    "codecs": (called(b"_codecs", b"encode", b"a", b"latin1"), "_codecs.encode"),
    "functools.partial": (called(b"functools", b"partial"), "functools.partial"),
    "operator.attrgetter": (called(b"operator", b"attrgetter", b"system"), "operator.attrgetter"),
    "copyreg._reconstructor": (called(b"copyreg", b"_reconstructor"), "copyreg._reconstructor"),
    "types.CodeType": (called(b"types", b"CodeType"), "types.CodeType"),
    "torch storage": (called(b"torch._utils", b"_rebuild_tensor_v2"), "torch._utils._rebuild_tensor_v2"),
    "numpy exec helper": (called(b"numpy.testing", b"runstring", OPEN, b""), "numpy.testing.runstring"),
    "numpy.f2py": (called(b"numpy.f2py.diagnose", b"run"), "numpy.f2py.diagnose.run"),
    "numpy.load": (called(b"numpy", b"load", CANARY), "numpy.load"),
    "an attribute of an allowed class": (
        b"\x80\x04" + named(b"numpy._core.multiarray", b"scalar.__reduce__") + b")R.",
        "scalar.__reduce__",
    ),
    "dotted path out of an allowed module": (b"\x80\x04" + named(b"collections", b"abc.sys.modules") + b".", "abc.sys"),
    "a submodule by an allowed prefix": (
        b"\x80\x04" + named(b"numpy.core", b"multiarray.scalar") + b".",
        "multiarray.scalar",
    ),
    "a name that is no text": (b"\x80\x04K\x01K\x02\x93.", "no text"),
    "NEWOBJ": (b"\x80\x04" + ORDERED + b")\x81.", "NEWOBJ"),
    "NEWOBJ_EX": (b"\x80\x04" + ORDERED + b")}\x92.", "NEWOBJ_EX"),
    "EXT1": (b"\x80\x02\x82\x01.", "EXT1"),
    "EXT2": (b"\x80\x02\x83\x01\x00.", "EXT2"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
    "persistent id": (b"\x80\x02Pstorage\n.", "PERSID"),
    "binary persistent id": (b"\x80\x04K\x01Q.", "BINPERSID"),
    "out of band buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "DUP": (b"\x80\x04]2.", "DUP"),
    "POP": (b"\x80\x04]0.", "POP"),
    "call of a value": (b"\x80\x04K\x01)R.", "a call of int"),
    "call of the answer of a call": (b"\x80\x04" + ORDERED + b")R)R.", "a call of dict"),
    "call with no tuple": (b"\x80\x04" + ORDERED + b"]R.", "a call of"),
    "OrderedDict with content": (b"\x80\x04" + ORDERED + b"]\x85R.", "other arguments"),
    "state of an OrderedDict": (
        b"\x80\x04" + ORDERED + b")R}" + text(b"__class__") + b"K\x01sb.",
        "a state of type dict",
    ),
    "state of an allowed name": (b"\x80\x04" + SCALAR + b"}b.", "a state of type dict"),
    "tuple state of a dict": (b"\x80\x04}N}\x86b.", "a state set on dict"),
    "__setstate__ of a dtype with metadata": (
        b"\x80\x04" + F8 + b"(K\x04" + text(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}tb.",
        "fields, parts or metadata",
    ),
    "object scalar": (b"\x80\x04" + SCALAR + DTYPE + text(b"O8") + b"\x89\x88\x87RC\x01N\x86R.", "'O8'"),
    "object type": (b"\x80\x04" + DTYPE + text(b"O") + b"\x85R.", "'O'"),
    "structured type": (b"\x80\x04" + DTYPE + text(b"f8,O") + b"\x85R.", "'f8,O'"),
    "type from a list": (b"\x80\x04" + DTYPE + b"]\x85R.", "other arguments"),
    "scalar of another length": (b"\x80\x04" + SCALAR + F8 + b"C\x07abcdefg\x86R.", "8 bytes with 7"),
    "scalar of a list": (b"\x80\x04" + SCALAR + b"]C\x01a\x86R.", "not a type and its bytes"),
    "array where none is expected": (b"\x80\x04" + RECONSTRUCT + b".", "_reconstruct"),
}

BOMBS: dict[str, tuple[bytes, str]] = {
    "text of 8 exabytes": (b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"a.", "ends early"),
    "bytes of 8 gigabytes": (b"\x80\x04\x8e" + struct.pack("<Q", 2**33) + b"a.", "ends early"),
    "bytes of 4 gigabytes": (b"\x80\x04B" + struct.pack("<I", 2**32 - 1) + b"a.", "ends early"),
    "byte array of 8 gigabytes": (b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"a.", "BYTEARRAY8"),
    "whole number of 2 gigabytes": (b"\x80\x04\x8b" + struct.pack("<I", 2**31 - 1) + b"a.", "whole number of"),
    "whole number of 200 bytes": (b"\x80\x04\x8a\xc8" + b"a" * 200 + b".", "whole number of 200"),
    "memo entry four billion": (b"\x80\x04]r" + struct.pack("<I", 2**32 - 1) + b".", "memo entry"),
    "memo entry that is not there": (b"\x80\x04j" + struct.pack("<I", 2**32 - 1) + b".", "memo entry"),
    "frame of 8 exabytes": (b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"].]", "bytes follow"),
    "ten million lists": (b"\x80\x04(" + b"]" * 10_000_000 + b"l.", "containers"),
    "ten million numbers": (b"\x80\x04(" + b"K\x01" * 10_000_000 + b"t.", "wait for a container"),
    "ten million marks": (b"\x80\x04" + b"(" * 10_000_000 + b".", "nested deeper"),
    "lists in lists": (b"\x80\x04" + b"]" * 5_000_000 + b"a" * 4_999_999 + b".", "containers"),
    "tuples in tuples": (b"\x80\x04)" + b"\x85" * 1000 + b".", "tuples nested"),
    "billion laughs": (
        b"\x80\x04)\x94"
        + b"".join(b"h" + bytes([k]) + b"h" + bytes([k]) + b"\x86\x94" for k in range(100))
        + b"}h\x60K\x01s.",
        "tuples nested",
    ),
    "a dict as key": (b"\x80\x04}}K\x01s.", "a dict key of type dict"),
    "object array": (
        b"\x80\x04" + RECONSTRUCT + b"(K\x01K\x01\x85" + DTYPE + text(b"O8") + b"\x89\x88\x87R\x89]tb.",
        "'O8'",
    ),
    "array that claims 8 terabytes": (
        b"\x80\x04" + RECONSTRUCT + b"(K\x01\x8a\x06" + struct.pack("<Q", 2**40)[:6] + b"\x85" + F8 + b"\x89C\x01atb.",
        "bytes of content",
    ),
}

ARRAY_CASES = ("object array", "array that claims 8 terabytes")

BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "ends early"),
    "cut": (pickle.dumps({"a": [1.0, 2.0]}, 4)[:-5], "ends early"),
    "no opcode": (b"\x80\x04\xff", "0xff"),
    "trailing bytes": (pickle.dumps({"a": 1}, 4) + b"x", "bytes follow"),
    "two pickles": (pickle.dumps({"a": 1}, 4) * 2, "bytes follow"),
    "protocol 9": (b"\x80\x09].", "protocol 9"),
    "two values": (b"\x80\x04]].", "2 values"),
    "open mark": (b"\x80\x04(].", "open marks"),
    "end without mark": (b"\x80\x04e.", "without a mark"),
    "nothing to call": (b"\x80\x04R.", "missing on the stack"),
    "key without value": (b"\x80\x04}(K\x01u.", "key without a value"),
    "item of no list": (b"\x80\x04K\x01K\x02a.", "no list"),
    "not UTF-8": (b"\x80\x04\x8c\x01\xff.", "not a sound pickle"),
    "memoise nothing": (b"\x80\x04\x94.", "not a sound pickle"),
}
