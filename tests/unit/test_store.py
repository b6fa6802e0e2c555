"""The store: what comes back, when it is computed again, and what it refuses to load."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import stat
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanostrata.domain import AtomicModel, Material, ScatteringCurve, ShellProfile
from nanostrata.domain.finding import Finding
from nanostrata.errors import DataError, PhysicsError
from nanostrata.pipeline import store as store_module
from nanostrata.pipeline.store import Store
from nanostrata.pipeline.store_format import read_entry, write_entry


def there_and_back(value: object) -> Any:
    stream = io.BytesIO()
    write_entry(stream, value)
    stream.seek(0)
    return read_entry(stream)


class Counted:
    """A stage that counts how often it computes."""

    def __init__(self, result: object = 1.5) -> None:
        self.calls, self.result = 0, result

    def __call__(self) -> Any:
        self.calls += 1
        return self.result


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(max_size=5) | st.integers(), inner),
    max_leaves=20,
)  # fmt: skip


@given(plain)
def test_plain_values_come_back_equal_and_of_the_same_types(value: object) -> None:
    back = there_and_back(value)
    assert back == value
    assert repr(back) == repr(value)  # tells 1 from True and 1.0, a list from a tuple, -0.0 from 0.0


def test_floats_that_json_has_no_word_for_come_back() -> None:
    back = there_and_back([math.nan, math.inf, -math.inf, complex(1.5, math.nan)])
    assert repr(back) == "[nan, inf, -inf, (1.5+nanj)]"


@pytest.mark.parametrize(
    "array",
    [
        np.linspace(0, 1, 7),
        np.array([1 + 2j, np.nan]),
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(5, dtype=">i2"),
        np.array([True, False]),
        np.array(["Zn", "Se", "X"]),
        np.empty((0, 3)),
        np.array(2.5),
    ],
)
@pytest.mark.parametrize("writeable", [True, False])
def test_arrays_come_back_bit_by_bit(array: np.ndarray, writeable: bool) -> None:
    array = array.copy(order="K")
    array.setflags(write=writeable)
    back = there_and_back(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable == writeable


def test_numpy_scalars_stay_numpy_scalars() -> None:
    back = there_and_back([np.float64(0.1), np.int32(3), np.bool_(True), np.complex128(1j)])
    assert [type(v) for v in back] == [np.float64, np.int32, np.bool_, np.complex128]
    assert back == [0.1, 3, True, 1j]


def test_domain_objects_come_back_whole() -> None:
    curve = ScatteringCurve(q_inv_nm=[1.0, 2.0], intensity=[3.0, 4.0], sigma=[0.1, 0.2], energy_kev=9.63, label="edge")
    profile = ShellProfile(edges_nm=[1.0, 2.0], shell_fraction=[0.1, 0.9])
    zinc_selenide = Material(
        name="ZnSe", composition={"Zn": 1.0, "Se": 1.0}, site_volume_nm3=0.0454, structure="wurtzite",
        lattice_nm=(0.4, 0.4, 0.655),
    )  # fmt: skip
    atoms = AtomicModel(
        symbols=("Zn", "X"), positions_nm=np.eye(2, 3), radius_fraction=np.array([0.1, 0.2]),
        site_volume_nm3=np.array([0.05, 0.05]), semi_axes_nm=(1.0, 1.0, 1.2), shell_index=np.array([0, 1]), info={"n": 2},
    )  # fmt: skip
    back = there_and_back({"curves": (curve,), "profile": profile, "shell": zinc_selenide, "atoms": atoms})
    assert back["curves"][0].q_inv_nm.tolist() == [1.0, 2.0]
    assert back["curves"][0].origin.notes == ()
    assert back["curves"][0].energy_kev == 9.63
    assert not back["curves"][0].sigma.flags.writeable
    assert back["profile"].shell_fraction.tolist() == [0.1, 0.9]
    assert dict(back["shell"].composition) == {"Zn": 1.0, "Se": 1.0}
    assert back["atoms"].symbols == ("Zn", "X")
    assert back["atoms"].shell_index.dtype == np.int64


def test_a_read_only_mapping_comes_back_as_a_dict() -> None:
    finding = Finding(text="a gradient", grade="strong", numbers=MappingProxyType({"x5": 0.98}))
    assert there_and_back(finding).numbers == {"x5": 0.98}


def test_the_same_result_gives_the_same_bytes() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    for stream in (first, second):
        write_entry(stream, {"a": np.arange(3), "b": (1, "x")})
    assert first.getvalue() == second.getvalue()


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, Path("x")]}, r"result\['a'\]\[1\]: a pathlib"),
        ((1, {2, 3}), r"result\[1\]: a builtins.set"),
        (np.array([object()]), r"result: a numpy.ndarray"),
        (lambda: 1, r"result: a builtins.function"),
    ],
)
def test_what_has_no_form_is_refused_with_its_place(value: object, place: str) -> None:
    with pytest.raises(TypeError, match=place):
        there_and_back(value)


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:Popen", "nanostrata.domain.base:Domain", "nanostrata.errors:DataError", "builtins:eval",
             "nanostrata.pipeline.store:Store", "nanostrata.domain.profile:np.ndarray", "nanostrata..os:system"],
)  # fmt: skip
def test_a_foreign_entry_cannot_name_other_classes(name: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("tree.json", json.dumps({"domain": name, "fields": {}}))
    with pytest.raises(ValueError, match="not a domain object"):
        read_entry(stream)


def test_a_pickle_in_a_foreign_entry_is_not_loaded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([{"any": "object"}], dtype=object), allow_pickle=True)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("tree.json", json.dumps({"array": 0, "writeable": True}))
        archive.writestr("0.npy", buffer.getvalue())
    with pytest.raises(ValueError, match="allow_pickle"):
        read_entry(stream)


def test_domain_objects_are_checked_again_when_read() -> None:
    fields = {"edges_nm": [2.0, 1.0], "shell_fraction": [0.5, 0.5]}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            "tree.json", json.dumps({"domain": "nanostrata.domain.profile:ShellProfile", "fields": fields})
        )
    with pytest.raises(PhysicsError, match="must increase"):
        read_entry(stream)


def test_a_finished_stage_is_not_run_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="nanostrata")
    compute = Counted({"x": np.arange(3)})
    for _ in range(2):
        result = Store(tmp_path).step("profile", "1", {"seed": 1}, compute)
        assert result["x"].tolist() == [0, 1, 2]
    assert compute.calls == 1
    assert "stage profile: taken from the store" in caplog.text


@pytest.mark.parametrize(
    ("stage", "version", "parts"),
    [("shape", "1", {"seed": 1}), ("profile", "2", {"seed": 1}), ("profile", "1", {"seed": 2}),
     ("profile", "1", {"seed": 1, "files": {"a.dat": "00"}})],
)  # fmt: skip
def test_whatever_a_result_depends_on_is_in_the_key(tmp_path: Path, stage: str, version: str, parts: Any) -> None:
    store, compute = Store(tmp_path), Counted()
    store.step("profile", "1", {"seed": 1}, Counted())
    assert not store.finished(stage, version, parts)
    store.step(stage, version, parts, compute)
    assert compute.calls == 1
    assert store.finished(stage, version, parts)


def test_the_order_of_key_parts_does_not_matter(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.key("s", "1", {"a": 1, "b": {"c": 2, "d": 3}}) == store.key("s", "1", {"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("parts", [{"a": math.nan}, {"a": Path("x")}, {"a": np.arange(2)}])
def test_a_key_part_that_cannot_be_said_exactly_is_refused(tmp_path: Path, parts: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Store(tmp_path).key("s", "1", parts)


def test_other_software_means_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    keys = {store.key("s", "1", {})}
    for changed in ("nanostrata", "code", "numpy", "xraydb"):
        software = {**store_module.software(), changed: "other"}
        monkeypatch.setattr(store_module, "software", lambda s=software: s)
        keys.add(store.key("s", "1", {}))
        monkeypatch.undo()
    assert len(keys) == 5


def test_fresh_computes_again_and_keeps_the_new_result(tmp_path: Path) -> None:
    Store(tmp_path).step("s", "1", {}, Counted(1))
    assert Store(tmp_path, fresh=True).step("s", "1", {}, Counted(2)) == 2
    assert Store(tmp_path).step("s", "1", {}, Counted(3)) == 2


def damaged(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "truncated": content[:middle],
        "empty": b"",
        "flipped": content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :],
        "garbage": b"not a zip file" * 10,
        "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07nothing\x94.",
    }


@pytest.mark.parametrize("kind", ["truncated", "empty", "flipped", "garbage", "pickle"])
def test_a_damaged_entry_is_computed_again_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    value = np.random.default_rng(1).normal(size=500)
    Store(tmp_path).step("profile", "1", {}, Counted(value))
    (entry,) = (tmp_path / ".store").iterdir()
    entry.write_bytes(damaged(entry.read_bytes())[kind])
    compute = Counted(value)
    assert np.array_equal(Store(tmp_path).step("profile", "1", {}, compute), value)
    assert compute.calls == 1
    assert f"stage profile: the stored result {entry.name} cannot be read" in caplog.text
    assert Store(tmp_path).step("profile", "1", {}, compute) is not None
    assert compute.calls == 1


def test_a_failing_stage_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        Store(tmp_path).step("s", "1", {}, fail)
    with pytest.raises(TypeError, match="cannot be stored"):
        Store(tmp_path).step("s", "1", {}, lambda: Path("x"))
    assert list((tmp_path / ".store").iterdir()) == []


def test_an_entry_has_the_usual_permissions(tmp_path: Path) -> None:
    Store(tmp_path).step("s", "1", {}, Counted())
    (entry,) = (tmp_path / ".store").iterdir()
    beside = tmp_path / "beside"
    beside.write_bytes(b"")
    assert stat.S_IMODE(entry.stat().st_mode) == stat.S_IMODE(beside.stat().st_mode)


def test_what_killed_runs_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    folder = Store(tmp_path).folder
    old, young = folder / ".unfinished-a", folder / ".unfinished-b"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (0, 0))
    Store(tmp_path)
    assert [p.name for p in folder.iterdir()] == [young.name]


def test_a_run_folder_that_cannot_be_one_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be used as a run folder"):
        Store(tmp_path / "file")


def test_a_process_killed_while_it_writes_leaves_no_entry(tmp_path: Path) -> None:
    code = f"""
        import os, pathlib
        from nanostrata.pipeline import store
        def killed(stream, value):
            stream.write(b"half")
            stream.flush()
            os._exit(9)
        store.write_entry = killed
        kept = store.Store(pathlib.Path({str(tmp_path)!r}))
        kept.step("s", "1", {{}}, lambda: 1)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == 9
    store = Store(tmp_path)
    assert not store.finished("s", "1", {})
    assert store.step("s", "1", {}, Counted(2)) == 2


def entries(folder: Path) -> set[str]:
    return {p.name for p in (folder / ".store").iterdir()}


def aged(folder: Path, seconds: int) -> None:
    """Make everything in the store look as if it had been used so long ago."""
    for p in (folder / ".store").iterdir():
        at = p.stat().st_mtime - seconds
        os.utime(p, (at, at))


def a_run(folder: Path, seed: int, bodies: int = 1) -> Store:
    """What a run does with the store: one result of "read", several of "body", then it is through."""
    store = Store(folder)
    store.step("read", "1", {"seed": seed}, Counted(seed))
    for i in range(bodies):
        store.step("body", "1", {"seed": seed, "body": i}, Counted(seed))
    return store


def test_three_runs_are_kept_and_the_one_used_longest_ago_goes(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        assert a_run(tmp_path, seed, bodies=4).prune() == []
        aged(tmp_path, 100)
    assert len(entries(tmp_path)) == 3 * 5
    a_run(tmp_path, 1, bodies=4)  # the first is used again, so the second is now the oldest
    aged(tmp_path, 100)
    assert len(a_run(tmp_path, 4, bodies=4).prune()) == 5
    kept = {s: Store(tmp_path).finished("body", "1", {"seed": s, "body": 3}) for s in (1, 2, 3, 4)}
    assert kept == {1: True, 2: False, 3: True, 4: True}
    assert len(entries(tmp_path)) == 3 * 5


def test_what_this_run_uses_is_kept_however_old_it_looks(tmp_path: Path) -> None:
    store = a_run(tmp_path, 1, bodies=3)
    for p in store.folder.iterdir():
        os.utime(p, (0, 0))
    for seed in (2, 3, 4, 5):
        a_run(tmp_path, seed)
    store.prune(runs=1)
    again = Counted()
    assert store.step("body", "1", {"seed": 1, "body": 2}, again) == 1
    assert again.calls == 0
    assert len([n for n in entries(tmp_path) if n.startswith("read-")]) == 1


def test_stages_that_were_not_asked_for_and_foreign_files_stay(tmp_path: Path) -> None:
    for seed in range(6):
        a_run(tmp_path, seed)
    (tmp_path / ".store" / "read-me.npz").write_bytes(b"x")
    (tmp_path / ".store" / ".unfinished-read-1").write_bytes(b"x")
    only = Store(tmp_path)
    only.step("read", "1", {"seed": 0}, Counted())
    only.prune()
    names = entries(tmp_path)
    assert len([n for n in names if n.startswith("body-")]) == 6
    assert len([n for n in names if n.startswith("read-") and n != "read-me.npz"]) == 3
    assert {"read-me.npz", ".unfinished-read-1"} <= names


def test_results_of_old_code_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("a", "b", "c", "d"):
        monkeypatch.setattr(store_module, "software", lambda v=version: {"code": v})
        a_run(tmp_path, 1).prune()
    assert len(entries(tmp_path)) == 2 * 3


WORKER = """
    import pathlib, sys
    from nanostrata.pipeline.store import Store
    for i in range(40):
        store = Store(pathlib.Path(sys.argv[1]))
        for stage in ("read", "body"):
            seed = (i * int(sys.argv[2])) % 7
            got = store.step(stage, "1", {"seed": seed}, lambda s=seed: [s] * 50)
            assert got == [seed] * 50, got
        store.prune()
"""


def test_two_processes_may_prune_the_same_folder(tmp_path: Path) -> None:
    """They take each other's results and remove them; neither fails, and no result is wrong."""
    argv = [sys.executable, "-c", textwrap.dedent(WORKER), str(tmp_path)]
    both = [subprocess.Popen([*argv, str(step)], stderr=subprocess.PIPE, text=True) for step in (3, 5)]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    # each leaves at most three by itself; what the other wrote last may lie beside them
    assert 2 <= len(entries(tmp_path)) <= 2 * 6
