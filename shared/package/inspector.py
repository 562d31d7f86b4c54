"""Reads Python sources in a process of its own: `python -I -S inspector.py`, sources on stdin, findings on stdout.

A source may be made to exhaust the parser (its memory or its stack); here that ends a child with limits instead of a
builder. Nothing is imported or run: sources are parsed and compiled, and the result is looked at. Standard library
only. stdin: {"sources": {path: text}}; stdout: one JSON object a line, that of predict.py first.
"""

from __future__ import annotations

import ast
import json
import resource
import sys
import warnings
from typing import Any

MEMORY_BYTES = 2 << 30
CPU_S = 20
HOPS_MAX = 10
NAMES_SHOWN = 50
TOO_DEEP = "the source is nested too deeply, or too large, to be parsed"

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Binding = dict[str, Any]


def main() -> None:
    """Inspect all sources; predict.py first, so that its finding is there whatever the others do."""
    for kind, limit in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S)):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):
            continue  # some systems have no such limit; the caller's time limit remains
    warnings.simplefilter("ignore")
    sources: dict[str, str] = json.load(sys.stdin)["sources"]
    for path in sorted(sources, key=lambda path: path != "predict.py"):
        try:
            found = json.dumps(_finding(path, sources))
        except (RecursionError, MemoryError):
            found = json.dumps({"path": path, "error": {"line": 1, "what": TOO_DEEP, "text": ""}})
        print(found, flush=True)


def _finding(path: str, sources: dict[str, str]) -> dict[str, Any]:
    tree, error = _parse(path, sources[path])
    if tree is None:
        return {"path": path, "error": error}
    if path != "predict.py":
        return {"path": path}
    module = _Module(tree)
    return {
        "path": path,
        "run": _follow(module, "run", path, sources),
        "setup": _follow(module, "setup", path, sources),
        "star": module.star,
        "functions": [n for n, b in module.names.items() if b["kind"] in ("def", "async", "lambda")][:NAMES_SHOWN],
        "methods": module.methods[:NAMES_SHOWN],
        "hidden": module.hidden,
        "imports": module.imports,
    }


def _parse(path: str, text: str) -> tuple[ast.Module | None, dict[str, Any]]:
    try:
        tree = ast.parse(text, path)
        compile(text, path, "exec", dont_inherit=True)  # finds what parsing alone does not: a `return` outside, …
        return tree, {}
    except SyntaxError as error:
        return None, {"line": error.lineno or 1, "what": error.msg, "text": (error.text or "").strip()[:200]}
    except ValueError as error:
        return None, {"line": 1, "what": str(error)[:200], "text": ""}
    except (RecursionError, MemoryError):
        return None, {"line": 1, "what": TOO_DEEP, "text": ""}


class _Module:
    """What the top level of a module binds; nothing inside functions or classes."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: dict[str, Binding] = {}
        self.star: list[str] = []
        self.methods: list[str] = []
        self.hidden: list[int] = []
        """Lines of a run() that is there only when the file is started as a script."""
        self.imports: dict[str, int] = {}
        """Top-level modules that importing this file imports, with the line."""
        stack: list[ast.stmt] = list(reversed(tree.body))
        while stack:
            stack.extend(reversed(self._take(stack.pop())))

    def _take(self, node: ast.stmt) -> list[ast.stmt]:
        """Note what a statement binds; return the statements within it that belong to the top level, too."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.names[node.name] = _function(node)
        elif isinstance(node, ast.ClassDef):
            self.names[node.name] = {"kind": "class", "line": node.lineno}
            if any(
                isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name == "run" for item in node.body
            ):
                self.methods.append(node.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self.imports.setdefault(alias.name.split(".")[0], node.lineno)
                self.names[alias.asname or alias.name.split(".")[0]] = {"kind": "module", "line": node.lineno}
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            self._assign(node)
        elif isinstance(node, ast.If):
            return self._if(node)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            return [*node.body, *(s for handler in node.handlers for s in handler.body), *node.orelse, *node.finalbody]
        elif isinstance(node, (ast.For, ast.While)):
            return [*node.body, *node.orelse]
        elif isinstance(node, ast.With):
            return node.body
        elif isinstance(node, ast.Match):
            return [statement for case in node.cases for statement in case.body]
        return []

    def _if(self, node: ast.If) -> list[ast.stmt]:
        test = ast.unparse(node.test) if isinstance(node.test, (ast.Compare, ast.Name, ast.Attribute)) else ""
        if "__name__" in test and "__main__" in test and "==" in test:
            inner = [s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "run"]
            self.hidden.extend(statement.lineno for statement in inner)
            return node.orelse
        if test.split(".")[-1] == "TYPE_CHECKING":
            return node.orelse
        return [*node.body, *node.orelse]

    def _import_from(self, node: ast.ImportFrom) -> None:
        if not node.level and node.module:
            self.imports.setdefault(node.module.split(".")[0], node.lineno)
        for alias in node.names:
            if alias.name == "*":
                self.star.append(node.module or ".")
                continue
            self.names[alias.asname or alias.name] = {
                "kind": "import",
                "line": node.lineno,
                "module": "." * node.level + (node.module or ""),
                "name": alias.name,
                "relative": node.level > 0,
            }

    def _assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        value = node.value
        if value is None:
            return
        binding: Binding = {"kind": "value", "line": node.lineno}
        if isinstance(value, ast.Lambda):
            binding = _function(value)
        elif isinstance(value, ast.Name):
            binding = {"kind": "alias", "line": node.lineno, "name": value.id}
        elif isinstance(value, (ast.Constant, ast.List, ast.Dict, ast.Tuple, ast.Set)):
            binding = {"kind": "constant", "line": node.lineno}
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = binding
            elif isinstance(target, (ast.Tuple, ast.List)):
                for item in target.elts:
                    if isinstance(item, ast.Name):
                        self.names[item.id] = {"kind": "value", "line": node.lineno}


def _follow(module: _Module, name: str, path: str, sources: dict[str, str]) -> Binding | None:
    """Find what `name` is, through other names and through imports from files of the package."""
    for _ in range(HOPS_MAX):
        found = module.names.get(name)
        if found is None:
            return None
        if found["kind"] == "alias":
            if found["name"] not in module.names:
                return {**found, "kind": "value", "path": path}
            name = found["name"]
        elif found["kind"] == "import" and not found["relative"]:
            other = _file_of(found["module"], sources)
            tree = _parse(other, sources[other])[0] if other else None
            if other is None or tree is None:
                return {**found, "path": path}
            inner = _Module(tree)
            if found["name"] not in inner.names:
                return {**found, "path": path, "missing_in": None if inner.star else other}
            module, name, path = inner, found["name"], other
        else:
            return {**found, "path": path}
    return {"kind": "value", "line": 1, "path": path}


def _file_of(module: str, sources: dict[str, str]) -> str | None:
    base = module.replace(".", "/")
    return next((path for path in (f"{base}.py", f"{base}/__init__.py") if path in sources), None)


def _function(node: Function) -> Binding:
    args = node.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    optional = [arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is not None]
    kind = "lambda" if isinstance(node, ast.Lambda) else "async" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return {
        "kind": kind,
        "line": node.lineno,
        "names": names[:NAMES_SHOWN],
        "count": len(names),
        "defaults": len(args.defaults),
        "vararg": args.vararg.arg if args.vararg else None,
        "kwarg": args.kwarg.arg if args.kwarg else None,
        "keywords": [arg.arg for arg in args.kwonlyargs][:NAMES_SHOWN],
        "needed": [arg.arg for arg in args.kwonlyargs if arg.arg not in optional][:NAMES_SHOWN],
        "decorated": bool(getattr(node, "decorator_list", [])),
        "generator": not isinstance(node, ast.Lambda) and _yields(node),
    }


def _yields(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the function's own body has a `yield`; functions and classes within it are others."""
    stack: list[ast.AST] = list(node.body)
    while stack:
        inner = stack.pop()
        if isinstance(inner, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(inner))
    return False


if __name__ == "__main__":
    main()
