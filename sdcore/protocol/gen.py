"""Prints everything that is generated from the protocol: C headers, cffi declarations, pages of the machines.

    python -m sdcore.protocol.gen           write the files that differ
    python -m sdcore.protocol.gen --check   write nothing; exit 1 and name the files that differ

The files are committed, so that neither a build nor the simulator needs this program.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sdcore.protocol import gen_cdef, gen_docs, gen_layout, gen_machines, gen_record
from sdcore.protocol.machines import MACHINES

ROOT = Path(__file__).resolve().parents[2]
GENERATED = Path("sdcore/native/generated")
PAGES = Path("docs/reference/machines")


def outputs() -> dict[Path, str]:
    """Path below the project's root, and text, of every generated file."""
    return {
        GENERATED / "layout.h": gen_layout.header(),
        GENERATED / "machines.h": gen_machines.header(MACHINES),
        GENERATED / "record.h": gen_record.header(MACHINES),
        GENERATED / "cdef.h": gen_cdef.header(MACHINES),
        **{PAGES / name: text for name, text in gen_docs.pages(MACHINES).items()},
    }


def differing(root: Path) -> list[Path]:
    """Generated files below `root` that are missing, not what they should be, or should not be there."""
    wanted = outputs()
    stale = [path for path, text in wanted.items() if not _is(root / path, text)]
    present = [path.relative_to(root) for folder in (GENERATED, PAGES) for path in (root / folder).glob("*.[hm]*")]
    return sorted(stale + [path for path in present if path not in wanted])


def write(root: Path) -> list[Path]:
    """Make every generated file below `root` what it should be; the paths that changed."""
    changed, wanted = differing(root), outputs()
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path])
        else:
            (root / path).unlink()
    return changed


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def main(arguments: list[str]) -> int:
    """Exit code: 0 written or nothing to do, 1 differences found by --check, 2 wrong arguments."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m sdcore.protocol.gen [--check]", file=sys.stderr)
        return 2
    if arguments:
        changed = differing(ROOT)
        for path in changed:
            print(f"{path}: differs from the protocol; run: nox -s gen", file=sys.stderr)
        return 1 if changed else 0
    for path in write(ROOT):
        print(f"{path}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
