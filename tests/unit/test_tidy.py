"""Rules of the house that a machine can check, each with the trouble it prevents."""

import ast
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("accounts", "compliance", "fraud", "payments")
FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()
    if (ROOT / name).is_file()
]  # fmt: skip
PYTHON = [path for path in FILES if path.suffix == ".py"]
PURE_FOLDERS = {"domain", "monitoring", "filings"}
DOMAIN = [
    path
    for path in PYTHON
    if PURE_FOLDERS & set(path.relative_to(ROOT).parts[:-1]) and path.relative_to(ROOT).parts[0] == "services"
]

LINES_MAX = 300
FUNCTION_LINES_MAX = 50


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_services_never_import_services() -> None:
    """An image holds one service; what they know of each other is on topics."""
    for path in PYTHON:
        parts = path.relative_to(ROOT).parts
        if parts[0] == "services" and len(parts) > 2:
            strangers = {f"services.{other}" for other in SERVICES if other != parts[1]}
            found = [module for module in imports(path) if ".".join(module.split(".")[:2]) in strangers]
            assert not found, f"{name(path)} imports {found}"


def test_libs_know_nothing_of_services_or_their_contracts() -> None:
    for path in PYTHON:
        if path.relative_to(ROOT).parts[0] == "libs":
            found = [module for module in imports(path) if module.split(".")[0] in ("services", "schemas", "stack")]
            assert not found, f"{name(path)} imports {found}"


def test_schemas_know_only_the_plumbing() -> None:
    for path in PYTHON:
        if path.relative_to(ROOT).parts[0] == "schemas":
            found = [m for m in imports(path) if m.split(".")[0] in ("services", "stack", "tests", "bench")]
            assert not found, f"{name(path)} imports {found}"


PURE = {
    *(
        "array",
        "bisect",
        "collections",
        "collections.abc",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "heapq",
    ),
    *(
        "heapq",
        "itertools",
        "math",
        "operator",
        "re",
        "statistics",
        "string",
        "struct",
        "types",
        "typing",
        "unicodedata",
        "zlib",
    ),
    *("difflib", "graphlib", "xml"),
    *("msgspec", "numpy", "rapidfuzz", "anyascii", "lark", "lightgbm"),
    *(
        "libs.common",
        "libs.common.batch",
        "libs.common.chain",
        "libs.common.events",
        "libs.common.ids",
        "libs.common.message",
    ),
    *(
        "libs.common.money",
        "libs.common.personal_data",
        "libs.common.record",
        "libs.common.rough",
        "libs.common.state",
        "libs.common.tenants",
        "libs.common.text",
    ),
}


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_domains_do_no_io(path: Path) -> None:
    """A decision that reads a clock or a table can't be replayed, simulated or backtested."""
    service = path.relative_to(ROOT).parts[1]
    for module in imports(path):
        own = ("domain", "matching", "monitoring", "filings", "travel", "diligence")
        is_own = module.startswith(tuple(f"services.{service}.{folder}" for folder in own))
        is_pure = module in PURE or module.split(".")[0] in PURE or module.startswith("schemas.")
        assert is_own or is_pure, f"{name(path)} imports {module}"


IMPURE_CALLS = {
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "perf_counter",
    "open",
    "print",
    "getenv",
    "urandom",
    "random",
}


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_domains_read_no_clock_and_throw_no_dice(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            assert called not in IMPURE_CALLS, f"{name(path)}:{node.lineno} calls {called}"
            assert not (called == "new" and ast.unparse(function) == "ids.new"), (
                f"{name(path)}:{node.lineno} makes an id"
            )


def test_only_the_unit_of_work_commits() -> None:
    """A second commit is a second truth: an event without its change, or a change without its event."""
    # The key store is outside of every service: what it commits has no events.
    allowed = {"libs/common/batch.py", "libs/common/migrations/__init__.py", "libs/common/keys.py"}
    for path in PYTHON:
        if path.relative_to(ROOT).parts[0] in ("libs", "services") and name(path) not in allowed:
            for node in ast.walk(tree(path)):
                is_commit = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "commit"
                is_kafkas = "offsets" in ast.unparse(node) if is_commit else False
                assert not is_commit or is_kafkas, f"{name(path)}:{node.lineno} commits"  # type: ignore[attr-defined]


SQL = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+( \w+)? SET|DELETE FROM)", re.DOTALL)
SQL_PLACES = re.compile(r"(store|queries|migrations|reconciliation)")


def test_sql_stands_in_stores_and_queries() -> None:
    for path in PYTHON:
        parts = path.relative_to(ROOT).parts
        if parts[0] == "services" and not SQL_PLACES.search(name(path)):
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert not SQL.search(node.value), f"{name(path)}:{node.lineno} holds SQL"


def test_no_float_comes_near_money() -> None:
    for path in PYTHON:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
                target = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
                if target.endswith("_minor"):
                    assert "float" not in ast.unparse(node.annotation), (
                        f"{name(path)}:{node.lineno} {target} is a float"
                    )


def test_tests_never_skip_and_never_sleep() -> None:
    """What is skipped is not tested, and what sleeps is slow on good days and wrong on bad ones."""
    forbidden = re.compile(r"pytest\.(skip|mark\.skip|mark\.xfail|importorskip)|time\.sleep")
    for path in PYTHON:
        if path.relative_to(ROOT).parts[0] == "tests" and path not in (Path(__file__), ROOT / "tests" / "waiting.py"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                assert not forbidden.search(line), f"{name(path)}:{number} {line.strip()}"


def test_nothing_is_left_undone_or_tied_to_a_machine() -> None:
    undone = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    machine = re.compile(
        r"(?<![\w.])/(work|root|home)/\w|https?://(pypi|files|registry|repo1?|deb|proxy|index|static)\.[a-z]"
    )
    for path in FILES:
        if path == Path(__file__) or path.suffix in (".png", ".lock"):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            assert not undone.search(line), f"{name(path)}:{number} {line.strip()}"
            assert not machine.search(line), f"{name(path)}:{number} {line.strip()}"


def test_locks_name_hashes_and_no_addresses() -> None:
    for path in (ROOT / "requirements").glob("*.lock"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text, f"{name(path)} holds the address of a registry"


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    if path.name != "__init__.py" or path.read_text().strip():
        assert ast.get_docstring(tree(path)), f"{name(path)} opens without a sentence on what it is for"


CLIENTS_ALONE = {
    "libs/common/kafka.py": "makes the common part of every client's configuration",
    "stack/kafka/access.py": "comes in by the broker's own certificate, before there are users",
    "docs/examples/consumer.py": "stands alone, to be copied into another house",
    "tests/integration/test_consumer.py": "speaks to librdkafka as another language would",
    "tests/unit/common/test_settings.py": "looks at what is made",
}


def test_one_function_configures_every_client_of_kafka() -> None:
    """A client that is told of brokers elsewhere is one that speaks plaintext where all others do not."""
    named = {name(path) for path in PYTHON if '"bootstrap.servers"' in path.read_text() and path != Path(__file__)}
    assert named == CLIENTS_ALONE.keys()


def test_the_vague_names_are_not_used() -> None:
    vague = {"utils", "helpers", "manager", "base", "exceptions", "constants", "interfaces", "misc"}
    assert not [name(path) for path in PYTHON if path.stem in vague]


def test_sizes() -> None:
    """Only a warning: think again about what is long."""
    for path in PYTHON:
        lines = len(path.read_text().splitlines())
        if lines > LINES_MAX and path.relative_to(ROOT).parts[0] != "tests":
            warnings.warn(f"{name(path)} has {lines} lines", stacklevel=1)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno
                if length > FUNCTION_LINES_MAX:
                    warnings.warn(f"{name(path)}:{node.lineno} {node.name} has {length} lines", stacklevel=1)


def test_the_oldest_supported_python_is_the_one_the_types_are_checked_for() -> None:
    assert sys.version_info >= (3, 11)
    assert 'python_version = "3.11"' in (ROOT / "pyproject.toml").read_text()
