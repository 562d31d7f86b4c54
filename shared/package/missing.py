"""What to say when predict.py or requirements.txt is not at the root: where it lies instead, and how to mend it."""

from shared.codes import PackageCode
from shared.package.model import fault, shown
from shared.package.tree import Tree

_OTHER_MANIFESTS = (
    "pyproject.toml",
    "setup.py",
    "environment.yml",
    "environment.yaml",
    "conda.yml",
    "Pipfile",
    "poetry.lock",
)


def predict_missing(tree: Tree) -> Exception:
    """Return the error for a ZIP without predict.py at its root."""
    names = list(tree.files)
    nested = _nested(names, "predict.py")
    if not names:
        why = "the ZIP holds no files; put predict.py and requirements.txt at its root"
    elif "predict.py" in tree.folders:
        why = "predict.py is a folder in this ZIP; it must be a file that defines run(input_path, output_dir)"
    elif nested:
        folder = shown(nested[0].rpartition("/")[0])
        more = f" (and in {len(nested) - 1} more folders)" if len(nested) > 1 else ""
        why = (
            f"predict.py must lie at the root of the ZIP and was found at {shown(nested[0])}{more}; zip what is in the "
            f"folder, not the folder: cd {folder} && python -m zipfile -c ../model.zip *"
        )
    elif near := _like(names, "predict.py"):
        why = f"there is no predict.py at the root of the ZIP, but {shown(near)}; rename it"
    else:
        scripts = sorted(name for name in names if "/" not in name and name.endswith((".py", ".ipynb")))
        found = f", only {', '.join(shown(name, 60) for name in scripts[:3])}" if scripts else ""
        why = (
            f"there is no predict.py at the root of the ZIP{found}; add one that defines "
            "run(input_path, output_dir) -> dict"
        )
    return fault(PackageCode.PREDICT_MISSING, why)


def requirements_missing(tree: Tree) -> Exception:
    """Return the error for a ZIP without requirements.txt at its root."""
    names = list(tree.files)
    nested, others = _nested(names, "requirements.txt"), [name for name in _OTHER_MANIFESTS if name in tree.files]
    if "requirements.txt" in tree.folders:
        why = "requirements.txt is a folder in this ZIP; it must be a text file"
    elif near := _like(names, "requirements.txt"):
        why = f"there is no requirements.txt at the root of the ZIP, but {shown(near)}; rename it"
    elif nested:
        why = f"requirements.txt must lie at the root of the ZIP, beside predict.py; it was found at {shown(nested[0])}"
    elif others:
        why = f"there is no requirements.txt, only {others[0]}; list in it the packages that predict.py imports"
    else:
        why = (
            "there is no requirements.txt at the root of the ZIP; list the packages predict.py imports, one a line "
            "(an empty file when it needs none)"
        )
    return fault(PackageCode.REQUIREMENTS_MISSING, why)


def _nested(names: list[str], wanted: str) -> list[str]:
    return sorted((name for name in names if name.endswith(f"/{wanted}")), key=lambda name: (name.count("/"), name))


def _like(names: list[str], wanted: str) -> str | None:
    """Find a file at the root that was probably meant: another case, a doubled extension, a plural too few."""
    stem = wanted.split(".")[0]
    candidates = {
        wanted,
        f"{wanted}.txt",
        f"{stem}.ipynb",
        stem,
        f"{wanted}.py",
        f"{stem.rstrip('s')}.txt",
        f"{stem}s.py",
    }
    return next((name for name in sorted(names) if name.lower() in candidates), None)
