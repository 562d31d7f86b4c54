"""`python -m shared.package model.zip`: say what ClinAI would say of a package, before it is uploaded.

Takes a ZIP, or a folder that would be one; limits and hosts come from the environment, as for the builder.
"""

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path

from shared.errors import WorkError
from shared.package import Package, Rules, check_package
from shared.package.model import amount


def main() -> int:
    """Print the verdict; return 0 for a package that may be built, 1 for one that may not, 2 for no such file."""
    parser = argparse.ArgumentParser(prog="python -m shared.package", description=__doc__)
    parser.add_argument("package", type=Path, help="a ZIP, or the folder to make one of")
    parser.add_argument("-o", "--output", type=Path, help="keep the ZIP made of a folder here")
    parser.add_argument("--json", action="store_true", help="print what ClinAI would keep of the package")
    args = parser.parse_args()
    if not args.package.exists():
        print(f"{args.package}: there is no such file", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        path: Path = args.package
        if path.is_dir():
            path = args.output or Path(scratch) / "model.zip"
            _zip(args.package, path)
        try:
            package = check_package(path, Rules.load())
        except WorkError as error:
            print(f"{error.code}: {error.message}")
            return 1
    print(json.dumps(package.about, indent=2, ensure_ascii=False) if args.json else _summary(package))
    return 0


def _zip(folder: Path, target: Path) -> None:
    """Make the ZIP; links become the files they name, as in any ZIP made without --symlinks."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and ".git" not in inside.parts and "__pycache__" not in inside.parts and path != target:
                archive.write(path, inside.as_posix())


def _summary(package: Package) -> str:
    takes = {True: "run(input_path, output_dir, params)", False: "run(input_path, output_dir)", None: "run(…)"}
    lines = [f"Warning: {warning}" for warning in package.warnings]
    lines.append(
        f"OK: {len(package.files)} files, {amount(package.unpacked_bytes)} unpacked; Python {package.python}; "
        f"{takes[package.source.accepts_params]}{' with setup()' if package.source.has_setup else ''}. "
        "Resolving requirements and the smoke test come with the build."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
