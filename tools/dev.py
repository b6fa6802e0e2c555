"""Set up an environment and do a developer's job in it: ``python tools/dev.py test`` (or ``make test``).

Needs nothing but Python 3.11 or newer, on Linux, macOS or Windows. Packages come as wheels from the locks in
requirements/, hashes checked, through whatever index pip is configured to use. The environment lies in .venv and is used
again as long as the lock is the same.
"""
# This file must be readable by an old Python, so that it can say that it is too old: no newer syntax at the top.

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
MARKER = os.path.join(VENV, "nanostrata-lock.json")
WINDOWS = os.name == "nt"
BIN = os.path.join(VENV, "Scripts" if WINDOWS else "bin")
PYTHON = os.path.join(BIN, "python.exe" if WINDOWS else "python")

# Each set holds the ones before it: groups of pyproject.toml whose packages are installed with the project.
SETS = {
    "run": ["build"],
    "test": ["build", "test", "lint"],
    "oracle": ["build", "test", "lint", "oracle"],
}
GENERATED = [
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    "build",
    "dist",
]


def say(text=""):
    print(text, flush=True)


def stop(*lines):
    for line in lines:
        sys.stderr.write("dev: " + line + "\n")
    sys.exit(2)


def duration(seconds):
    return "%.1f s" % seconds if seconds < 100 else "%d min %02d s" % divmod(round(seconds), 60)


# --- the environment ---------------------------------------------------------------------------------------------------


def require_python():
    """Go on in a Python that is new enough and can make environments, or say what is missing."""
    if sys.version_info >= OLDEST:
        missing = [name for name in ("venv", "ensurepip") if not can_import(name)]
        if missing:
            stop(
                "Python %d.%d has no module %s." % (sys.version_info[0], sys.version_info[1], " and ".join(missing)),
                "On Debian and Ubuntu: sudo apt install python3-venv (or python%d.%d-venv)" % sys.version_info[:2],
            )
        return
    for name in ("python3.13", "python3.12", "python3.14", "python3.11"):
        found = shutil.which(name)
        check = "import sys, venv, ensurepip; sys.exit(sys.version_info < %r)" % (OLDEST,)
        if found and subprocess.call([found, "-c", check], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            sys.exit(subprocess.call([found] + sys.argv))
    stop(
        "Python %d.%d is too old: %d.%d or newer is needed, and none was found." % (sys.version_info[:2] + OLDEST),
        "Install one from python.org or your package manager, then: python3.12 tools/dev.py " + " ".join(sys.argv[1:]),
    )


def can_import(name):
    import importlib.util

    return importlib.util.find_spec(name) is not None


def lock_file(name):
    return os.path.join(ROOT, "requirements", name + ".lock")


def digest(*paths):
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            total.update(stream.read().replace(b"\r\n", b"\n") + b"\0")
    return total.hexdigest()


def clean_environment():
    """Return the variables of this process without those that would let packages from elsewhere in."""
    drop = (
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_USER",
        "PIP_REQUIRE_HASHES",
        "__PYVENV_LAUNCHER__",
    )
    kept = {k: v for k, v in os.environ.items() if k not in drop}
    kept["VIRTUAL_ENV"] = VENV
    kept["PATH"] = BIN + os.pathsep + kept.get("PATH", "")
    kept["PYTHONUTF8"] = "1"
    return kept


def read_marker():
    try:
        with open(MARKER, encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return {}


def ensure_environment(name):
    """Make .venv hold the given set, doing only what is missing."""
    begin = time.monotonic()
    here = {"root": ROOT, "python": sys.version}
    marker = read_marker()
    fits = all(marker.get(k) == v for k, v in here.items()) and os.path.exists(PYTHON)
    locks = {s: digest(lock_file(s)) for s in SETS}
    project = digest(os.path.join(ROOT, "pyproject.toml"))
    have = marker.get("sets", {})
    outdated = [s for s in have if have[s] != locks.get(s)]
    if fits and not outdated and name in have and marker.get("project") == project:
        say("environment: .venv is up to date (%s)" % duration(time.monotonic() - begin))
        return
    if not fits or outdated:
        say("environment: making .venv with Python %d.%d.%d" % sys.version_info[:3])
        make_venv()
        have = {}
    if name not in have:
        count = sum("==" in line for line in open(lock_file(name), encoding="utf-8"))
        say("environment: installing up to %d packages of requirements/%s.lock (a minute or more)" % (count, name))
        pip("install", "--require-hashes", "--only-binary=:all:", "-r", lock_file(name))
    pip("install", "--no-deps", "--no-build-isolation", "--editable", ROOT)
    names = list(SETS)
    have = dict(have, **{s: locks[s] for s in names[: names.index(name) + 1]})
    unfinished = MARKER + ".unfinished"
    with open(unfinished, "w", encoding="utf-8") as stream:
        json.dump(dict(here, sets=have, project=project), stream, indent=1)
    os.replace(unfinished, MARKER)
    say("environment: ready after %s" % duration(time.monotonic() - begin))


def make_venv():
    import venv

    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=not WINDOWS).create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        stop(
            "the environment %s could not be made: %s" % (VENV, error),
            "Check the free space and the permissions; on Debian and Ubuntu: sudo apt install python3-venv",
        )


def pip(*arguments):
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run(
        [*command, "--quiet", "--progress-bar", "off"],
        cwd=ROOT, env=clean_environment(), text=True, encoding="utf-8", errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return
    sys.stderr.write(done.stdout)
    text = done.stdout
    if "DO NOT MATCH THE HASHES" in text:
        why = "A package differs from what the lock expects: the index serves other files, or a download was damaged."
    elif any(
        s in text for s in ("NewConnectionError", "Temporary failure", "Connection", "timed out", "SSLError", "Proxy")
    ):
        why = "The package index was not reached: check the network, the proxy and pip's settings (pip config list)."
    elif "No matching distribution" in text or "Could not find a version" in text:
        why = (
            "The index has no wheel of that package for this Python (%d.%d) and platform, or was not reached; "
            "Python 3.11 to 3.13 on Linux, macOS or Windows is expected to work." % sys.version_info[:2]
        )
    else:
        why = "pip failed; its words stand above."
    stop(why, "What was installed is kept: the same command goes on from there.")


# --- the jobs ----------------------------------------------------------------------------------------------------------


def program(name):
    return os.path.join(BIN, name + (".exe" if WINDOWS else ""))


def run(title, command, last=False, **variables):
    """Run a command in the environment and say how long it took; leave with its status when it fails."""
    say("\n--- " + title)
    begin = time.monotonic()
    environment = dict(clean_environment(), **variables)
    try:
        status = subprocess.call(command, cwd=ROOT, env=environment)
    except KeyboardInterrupt:
        sys.exit(130)
    if status != 0:
        say("--- %s: FAILED (status %d, %s)" % (title, status, duration(time.monotonic() - begin)))
        sys.exit(status if status > 0 else 1)
    if not last:
        say("--- %s: ok, %s" % (title, duration(time.monotonic() - begin)))


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def demo(arguments):
    ensure_environment("run")
    run("nanostrata demo", [program("nanostrata"), "demo", "--out", "demo", *arguments])


def check_style():
    run("ruff check", [program("ruff"), "check"])
    run("ruff format", [program("ruff"), "format", "--check"])
    run("mypy", [program("mypy")])
    run("import-linter", [program("lint-imports")])


def pytest(selection, arguments):
    workers = str(max(1, min(8, processors())))
    # one thread of linear algebra for each worker, else they fight for the processors
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [PYTHON, "-m", "pytest", "-n", workers, "--dist", "worksteal", *selection]
    # the last lines are pytest's own: nothing is printed after them
    run("pytest", command + (arguments or ["--doctest-modules", "--doctest-glob=*.md", "tests", "src", "README.md", "docs"]),
        last=True, **single)  # fmt: skip


def test(arguments):
    ensure_environment("test")
    check_style()
    pytest(["-m", "not slow and not oracle"], arguments)


def test_all(arguments):
    ensure_environment("oracle")
    check_style()
    pytest([], arguments)


def bench(arguments):
    """Run every script of benchmarks/ that can be run, one after another: they would disturb each other's clocks."""
    ensure_environment("oracle")
    folder = os.path.join(ROOT, "benchmarks")
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".py")):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as stream:
            runs = 'if __name__ == "__main__":' in stream.read()
        if runs and (not arguments or os.path.splitext(name)[0] in arguments):
            run(name, [PYTHON, path])


def lint(arguments):
    ensure_environment("test")
    check_style()


def tidy(arguments):
    ensure_environment("test")
    run("ruff format", [program("ruff"), "format"])
    run("ruff check", [program("ruff"), "check", "--fix"])


def lock(arguments):
    """Write the locks again, the largest first: the smaller ones take its versions."""
    uv = shutil.which("uv")
    if uv is None:
        stop("locks are written by uv, which is not on the PATH: pip install uv, or see docs.astral.sh/uv")
    largest = list(SETS)[-1]
    for name in reversed(list(SETS)):
        command = [uv, "pip", "compile", "pyproject.toml", "--universal", "--python-version", "%d.%d" % OLDEST]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"]
        command += ["--quiet", "--output-file", lock_file(name)]
        for group in SETS[name]:
            command += ["--group", group]
        if name != largest:
            command += ["--constraints", lock_file(largest)]
        elif "--upgrade" in arguments:
            command += ["--upgrade"]
        run("uv pip compile: %s.lock" % name, command)
        add_header(lock_file(name))


def add_header(path):
    with open(path, encoding="utf-8") as stream:
        body = stream.read()
    head = "# Written by: python tools/dev.py lock. Linux, macOS and Windows, Python %d.%d and newer.\n" % OLDEST
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(head + body)


def clean(arguments):
    """Remove what this script and the tools made; results of demo and run stay."""
    for name in GENERATED:
        shutil.rmtree(os.path.join(ROOT, name), ignore_errors=True)
    for top in ("src", "tests", "tools", "benchmarks"):
        for folder, below, _ in os.walk(os.path.join(ROOT, top)):
            if "__pycache__" in below:
                shutil.rmtree(os.path.join(folder, "__pycache__"), ignore_errors=True)
    say("removed: " + ", ".join(GENERATED) + " and __pycache__")


JOBS = {
    "demo": (demo, "the main job on bundled, simulated input; results in demo/"),
    "test": (test, "style, types, layers, and every test that is neither slow nor needs another program"),
    "test-all": (test_all, "the same with the slow tests and the comparisons with other programs"),
    "bench": (bench, "the benchmarks, against other programs"),
    "lint": (lint, "style, types and layers only"),
    "format": (tidy, "let ruff put the sources in order"),
    "lock": (lock, "write requirements/*.lock again (--upgrade for newer versions); needs uv"),
    "clean": (clean, "remove .venv, caches and compiled files"),
}


def main():
    parser = argparse.ArgumentParser(prog="dev.py", description="Set up an environment and do a job in it.")
    parser.add_argument(
        "job", choices=sorted(JOBS), help="; ".join("%s: %s" % (k, JOBS[k][1]) for k in JOBS), metavar="JOB"
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="passed on (to pytest: paths and options)")
    options = parser.parse_args()
    if options.job != "clean":
        require_python()
    begin = time.monotonic()
    JOBS[options.job][0](options.rest)
    if options.job not in ("test", "test-all"):
        say("\n%s: done after %s" % (options.job, duration(time.monotonic() - begin)))


if __name__ == "__main__":
    main()
