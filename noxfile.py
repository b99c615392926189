"""Everyday jobs, one session each: `./run NAME`, or `nox -s NAME` where nox is installed.

Words after `--` go to the session's main program: `./run tests -- -k ring -x`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = True
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
# Most tests wait most of their time, for a process to start or for the time after which the kernel gives up. With
# worksteal each process gets neighbours, which want the same programs and the same answers of the kernel.
SIDE_BY_SIDE = (f"--numprocesses={min(2 * (os.cpu_count() or 1), 8)}", "--dist=worksteal")
# Each file starts servers for all its tests, and its clients fill a core.
FILES_SIDE_BY_SIDE = ("tests/native", "tests/programs", "tests/conformance")
FILES_AT_ONCE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile")
# They fill the cores by themselves, or measure.
FAULTS_ONE_BY_ONE = ("hostile_peer", "monitor_dies", "process_dies", "tree_is_killed")
ONE_BY_ONE = (
    *(f"tests/faults/test_{name}.py" for name in FAULTS_ONE_BY_ONE),
    "tests/differential",
    "tests/bench",
)
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHON_DIRS = ("sdcore", "sdsim", "tests", "tools", "examples", "docs", "noxfile.py")


def system_packages(session: nox.Session, *groups: str) -> None:
    """Make sure that the programs of these groups are on the system, or stop with what to type."""
    session.run(sys.executable, "tools/system_packages.py", *groups, external=True)


def install_groups(session: nox.Session, *groups: str) -> None:
    """Install dependency groups of pyproject.toml."""
    session.install(*nox.project.dependency_groups(PYPROJECT, *groups))


def install_project(session: nox.Session, *groups: str, sanitize: str = "none") -> None:
    """Install the project, editable, with its build tools and dependency groups."""
    system_packages(session, "build")
    install_groups(session, "build", *groups)
    build = ROOT / "build" / f"nox-{session.name}"
    session.install(
        "--no-build-isolation", f"-Cbuild-dir={build}", f"-Csetup-args=-Dsanitize={sanitize}", "--editable", "."
    )


def pytest(session: nox.Session, *args: str, **env: str) -> None:
    """Run pytest on the paths in args, or on what stands after `--`."""
    session.run("pytest", *(session.posargs or args), env=env)


def passes(session: nox.Session, *args: str) -> bool:
    """Run pytest; tell whether all passed, so that what comes after a failure is seen too."""
    try:
        pytest(session, *args)
    except nox.command.CommandFailed:
        return False
    return True


@nox.session
def tests(session: nox.Session) -> None:
    """All ordinary tests, real programs among them."""
    system_packages(session, "programs", "tests")
    install_project(session, "test", "extras")
    if session.posargs:
        pytest(session)
        return
    apart = (*FILES_SIDE_BY_SIDE, *ONE_BY_ONE)
    parts = (
        (*SIDE_BY_SIDE, "tests", *(f"--ignore={path}" for path in apart)),
        (*FILES_AT_ONCE, *FILES_SIDE_BY_SIDE),
        ONE_BY_ONE,
    )
    if [part for part in parts if not passes(session, *part)]:
        session.error("tests failed, see above")


@nox.session
def demo(session: nox.Session) -> None:
    """The main job: redis over kernel TCP and over sdcore in turns, with a table and a chart."""
    system_packages(session, "demo")
    install_project(session)
    session.run("python", "-m", "sdcore.cli.demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Latency, rate, bandwidth, connections: kernel TCP, Unix sockets and sdcore in turns."""
    install_project(session)
    session.run("sdcore", "bench", *session.posargs)


@nox.session
def programs(session: nox.Session) -> None:
    """Real programs only, each with and without the library at either end, the slow ones too."""
    system_packages(session, "programs")
    install_project(session, "test")
    pytest(session, "tests/programs", SDCORE_PROGRAMS="all")


@nox.session(name="property")
def property_tests(session: nox.Session) -> None:
    """Property tests with ten times the examples of an ordinary run."""
    install_project(session, "test")
    pytest(session, "tests/property", HYPOTHESIS_PROFILE="thorough")


@nox.session
def differential(session: nox.Session) -> None:
    """Drawn programs on kernel TCP and under the library, compared call by call: an hour, or as the words say."""
    install_project(session, "test")
    session.run("python", "-m", "tests.differential.hunt", *(session.posargs or ("--seconds", "3600", "--wild")))


@nox.session
def conformance(session: nox.Session) -> None:
    """Record redis, nginx and forks, more than a million transitions of each, and check them against the tables."""
    system_packages(session, "programs")
    install_project(session, "test")
    pytest(session, "tests/conformance", SDCORE_CONFORMANCE="long")


@nox.session
def sim(session: nox.Session) -> None:
    """The simulator's tests; no compiler is needed for them."""
    session.install(*PYPROJECT["project"]["dependencies"])
    install_groups(session, "test", "extras")
    pytest(session, "tests/sim")


def sanitized(session: nox.Session, kind: str, runtime: str, choice: str, **options: str) -> None:
    """Build the C with a sanitizer and run what exercises it: the machines and the core through cffi, then programs.

    Of the many ends and placements of each scenario, those of `choice` (an expression for pytest -k) are enough here.
    """
    install_project(session, "test", sanitize=kind)
    found = session.run("gcc", f"-print-file-name={runtime}", external=True, silent=True)
    assert isinstance(found, str)
    path = found.strip()
    if not session.posargs and kind == "address":  # Python must start with the runtime, since it loads the C late
        machines = (
            *SIDE_BY_SIDE,
            "-k",
            "not fault_of_the_generator",
            "tests/property/test_machines_agree.py",
            "tests/property/test_ring_agrees.py",
        )
        # These tests compile for themselves, and take the memory that C sees from malloc.
        compiler = "gcc -fsanitize=address,undefined -fno-sanitize-recover=undefined"
        pytest(session, *machines, CC=compiler, LD_PRELOAD=path, **options)
    pytest(
        session,
        *("-k", choice, *SIDE_BY_SIDE, "tests/semantics", "tests/faults/test_hostile_peer.py"),
        SANITIZER_RUNTIME=path,
        **options,
    )


@nox.session
def native_asan(session: nox.Session) -> None:
    """Machines, scenarios and a hostile peer, with the address and undefined-behaviour sanitizers."""
    sanitized(
        session,
        "address",
        "libasan.so",
        "(connected and other) or fortified or hostile",
        ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:verify_asan_link_order=0",
        UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1",
    )


@nox.session
def native_tsan(session: nox.Session) -> None:
    """Scenarios with threads, with the thread sanitizer."""
    sanitized(session, "thread", "libtsan.so", "thread and other", TSAN_OPTIONS="halt_on_error=1:exitcode=66")


@nox.session
def gen(session: nox.Session) -> None:
    """Print the committed C headers and drawings again from the protocol's tables."""
    session.run("python", "-m", "sdcore.protocol.gen", *session.posargs)


@nox.session
def gen_check(session: nox.Session) -> None:
    """Fail if a committed generated file differs from what the tables give now."""
    session.run("python", "-m", "sdcore.protocol.gen", "--check", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Manner, types and form of Python and C."""
    session.install(*PYPROJECT["project"]["dependencies"])
    install_groups(session, "lint")
    paths = [path for path in PYTHON_DIRS if (ROOT / path).exists()]
    session.run("ruff", "check", *paths)
    session.run("ruff", "format", "--check", *paths)
    session.run("mypy")
    session.run("clang-format", "--dry-run", "--Werror", *c_files())


def c_files() -> list[str]:
    """Return the hand-written C files, which clang-format looks at."""
    folders = ("sdcore/native/core", "sdcore/native/shim", "sdcore/cli/bench/worker", "examples", "tests")
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*.[ch]"))
    return sorted(str(path.relative_to(ROOT)) for path in paths)


@nox.session(name="format")
def reformat(session: nox.Session) -> None:
    """Bring Python and C into form."""
    install_groups(session, "lint")
    paths = [path for path in PYTHON_DIRS if (ROOT / path).exists()]
    session.run("ruff", "check", "--fix-only", *paths)
    session.run("ruff", "format", *paths)
    session.run("clang-format", "-i", *c_files())


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors, and run every command of the tutorial."""
    system_packages(session, "docs", "demo")
    install_project(session, "docs")
    session.run(
        "sphinx-build",
        "-q",
        "-W",
        "--keep-going",
        "-n",
        "-j",
        "auto",
        "-b",
        "html",
        "docs",
        "docs/_build/html",
        *session.posargs,
    )
    session.run("python", "tools/run_tutorial.py", "docs/tutorial/first-speed-up.md")


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel, install it by itself, and use it."""
    system_packages(session, "build", "package")
    session.install("build")
    session.run("python", "-m", "build", "--outdir", "dist", ".")
    session.install(str(newest_wheel()))
    session.chdir(session.create_tmp())
    session.run("python", str(ROOT / "tools" / "smoke.py"))


def newest_wheel() -> Path:
    """Return the wheel of this version in dist/, the latest built."""
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())
    assert version is not None
    wheels = (ROOT / "dist").glob(f"socksdirect-{version[1]}-*.whl")
    return max(wheels, key=lambda path: path.stat().st_mtime)
