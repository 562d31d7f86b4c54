"""Can ClinAI call this run()? The sandbox calls run(input_path, output_dir), or with params as a third argument."""

from typing import Any

from shared.codes import PackageCode
from shared.package.model import fault, shown

EXPECTED = "run(input_path, output_dir)"
CALLED_OTHERWISE = ("predict", "infer", "inference", "main", "process", "forward", "detect", "classify", "segment")


def judge_run(found: dict[str, Any]) -> tuple[bool | None, list[str]]:
    """Return whether run() takes params (None: reading cannot tell) and warnings.

    `found` is what the inspector tells of predict.py. Raises PackageError (SIGNATURE_INVALID).
    """
    run = found.get("run")
    if run is None:
        return _without_run(found)
    where, kind = f"{shown(run['path'])}:{run['line']}", run["kind"]
    if kind == "import" and run["relative"]:
        raise _wrong(where, "run is imported relatively, and predict.py is no part of a Python package; "
                     f"write `from {run['module'].lstrip('.') or 'module'} import run`")  # fmt: skip
    if kind == "import" and run.get("missing_in"):
        raise _wrong(where, f"{shown(run['missing_in'])} defines no {shown(run['name'])}; define {EXPECTED} there")
    if kind in ("import", "value"):
        whence = f"imported from {shown(run['module'])}" if kind == "import" else "the result of an expression"
        return None, [f"{where}: run is {whence}, which reading cannot judge; the smoke test will"]
    if kind in ("class", "module", "constant"):
        raise _wrong(where, f"run is a {kind}, not a function; define {EXPECTED}")
    if kind == "async":
        raise _wrong(where, "run() is async and ClinAI calls it plainly; define it with `def`, and use "
                     "asyncio.run() inside if you need to")  # fmt: skip
    if run["generator"]:
        raise _wrong(where, "run() is a generator (it has a `yield`); return one dict instead")
    return _judge_parameters(run, where)


def judge_setup(setup: dict[str, Any] | None) -> bool:
    """Return whether the package has a setup(). Raises PackageError (SIGNATURE_INVALID)."""
    if setup is None or setup["kind"] in ("module", "constant"):
        return False
    where = f"{shown(setup['path'])}:{setup['line']}"
    if setup["kind"] == "async":
        raise _wrong(where, "setup() is async and ClinAI calls it plainly; define it with `def`")
    if setup["kind"] in ("def", "lambda"):
        if setup["generator"]:
            raise _wrong(where, "setup() is a generator (it has a `yield`); it would never run")
        if not setup["decorated"] and (setup["count"] > setup["defaults"] or setup["needed"]):
            raise _wrong(where, f"setup() takes ({_signature(setup)}); ClinAI calls it without arguments")
    return True


def _judge_parameters(run: dict[str, Any], where: str) -> tuple[bool | None, list[str]]:
    why = _parameter_fault(run)
    if why and run["decorated"]:
        return None, [f"{where}: {why}; its decorator may change that, so the smoke test will judge"]
    if why:
        raise _wrong(where, why)
    names, required = run["names"], run["count"] - run["defaults"]
    accepts_params = run["count"] >= 3 and (names[2] == "params" or required >= 3)
    warnings = []
    if not accepts_params and ("params" in run["keywords"] or "params" in names):
        warnings.append(f"{where}: run() gets `params` only as its third positional parameter; move it there")
    if run["count"] < 3 and run["vararg"] and run["count"] == 2:
        warnings.append(f"{where}: run() never gets anything in *{run['vararg']}")
    return accepts_params, warnings


def _parameter_fault(run: dict[str, Any]) -> str | None:
    names, required = run["names"], run["count"] - run["defaults"]
    takes = f"run() takes ({_signature(run)}); expected {EXPECTED}"
    if names[:1] == ["self"]:
        return f"{takes}: it is no method, remove self"
    if run["needed"]:
        return f"{takes}: nothing is given to the keyword-only {', '.join(run['needed'][:3])}; give a default"
    if run["count"] < 2 and not run["vararg"]:
        return takes
    if required > 3:
        return f"{takes}, or a third parameter params; give the others defaults"
    for index, name in enumerate(("input_path", "output_dir")):
        if name in names and names.index(name) != index:
            return f"{takes}: they are given in this order"
    return None


def _without_run(found: dict[str, Any]) -> tuple[bool | None, list[str]]:
    if found["star"]:
        return None, [
            f"predict.py: run may come from `from {shown(found['star'][0])} import *`; the smoke test will tell"
        ]
    hint = ""
    same = [name for name in found["functions"] if name.lower() == "run"]
    near = [name for name in found["functions"] if name in CALLED_OTHERWISE or "run" in name.lower()]
    if found["hidden"]:
        hint = f' (the one in line {found["hidden"][0]} is under `if __name__ == "__main__"`; move it out)'
    elif same or near:
        hint = f" (there is a function {shown((same or near)[0])}; rename it to run)"
    elif found["methods"]:
        name = shown(found["methods"][0])
        hint = f" (the class {name} has a method of that name; add a function that calls it)"
    raise _wrong("predict.py", f"there is no function run at the top level{hint}; define {EXPECTED} -> dict")


def _signature(function: dict[str, Any]) -> str:
    names = function["names"]
    first_default = function["count"] - function["defaults"]
    parts = [name if index < first_default else f"{name}=…" for index, name in enumerate(names)]
    if function["count"] > len(names):
        parts.append("…")
    if function["vararg"]:
        parts.append(f"*{function['vararg']}")
    elif function["keywords"]:
        parts.append("*")
    parts += [name if name in function["needed"] else f"{name}=…" for name in function["keywords"]]
    if function["kwarg"]:
        parts.append(f"**{function['kwarg']}")
    return shown(", ".join(parts), 200)


def _wrong(where: str, why: str) -> Exception:
    return fault(PackageCode.SIGNATURE_INVALID, f"{where}: {why}")
