"""The architecture, enforced: who may import whom, and what importing mien costs."""

import ast
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "mien"

LAYERS = (
    {"errors", "labels", "former_names", "spelling", "broken_text", "allocator"},
    {
        "samples",
        "results",
        "head_pose",
        "cache_root",
        "clock",
        "pages",
        "files",
        "finding",
        "provenance",
        "interrupts",
        "paths",
    },
    {"images", "preprocessing", "tta"},
    {"model", "drawing", "sources", "data", "zoo"},
    {"recognition"},
    {"evaluation", "summaries", "explanation"},
    {"formats", "outputs", "reports"},
    {"training", "page"},
    {"workflows"},
    {"live"},
    {"serving"},
    {"cli"},
    {"__main__"},
)
"""From the bottom up. A module imports from lower layers, from its own package and, among single
modules, from its own layer; the packages of one layer are blind to each other."""

MAY_IMPORT = {
    "keras": {
        "zoo",
        "formats",
        "training",
        "data.augmentation",
        "data.damage",
        "data.batches",
        "explanation.grad_cam",  # gradients of the network's maps
        "workflows.models",  # for types alone
        "workflows.training",
        "cli.progress",
    },
    "tensorflow": {
        "explanation.grad_cam",
        "formats",
        "training.teacher_layer",
        "training.trainable",
    },
    "tf2onnx": {"formats.bundle"},
    "onnx": {
        "formats.bundle",
        "formats.ensemble",
        "formats.folded_weights",
        "formats.graph_rewrites",
        "formats.int8",
        "formats.onnx_cards",
    },
    "onnxruntime": {"model.sessions", "formats.int8", "formats.onnx_cards"},
    "pooch": {"model.store"},
    "requests": {"model.store"},
    "urllib": {"model.store"},
    "http": {"model.store", "serving.problems"},
    "socket": {
        *("model.store", "serving.server"),
        *("workflows.engines.processes", "workflows.engines.ray_tasks"),
    },
    "pickle": set(),
    "av": {"sources", "outputs", "images.heif"},
    "scipy": set(),
    "pygame": {"live.window"},
    "pylsl": {"live.lsl"},
    "pandas": {"outputs", "workflows"},
    "pyarrow": {"outputs", "sources.manifests"},
    "ray": {"workflows.engines.ray_tasks"},
    "fsspec": {"sources.remote"},
    "multiprocessing": {"workflows.engines"},
    "rich": {"cli"},
    "typer": {"cli"},
    "fastapi": {"serving"},
    "starlette": {"serving"},
    "pydantic": {"serving"},
    "uvicorn": {"serving"},
    "h11": {"serving"},
    "python_multipart": {"serving"},
    "prometheus_client": {"serving"},
    "websockets": {"serving"},
}
"""Who may import a library, as prefixes of module names."""


INSIDE = {
    "outputs": {
        "sources": {
            "sources.source",
            "sources.inputs",  # the inputs that copies are planned for
            "sources.addresses",  # names of sources are written without their passwords
            "sources.files",  # the sound of a file is brought along
        },
        "drawing": {"drawing", "drawing.sprites", "drawing.style"},
    },
    "reports": {"sources": {"sources.source"}},
}
"""What packages that stand beside each other on the way of the data know of each other."""

CLI_MAY_IMPORT = {
    "mien": "its version",
    "cli": "itself",
    "workflows": "what commands do",
    "live.session": "what `mien live` does, the one workflow with a window",
    "serving.settings": "what `mien serve` is started with",
    "serving.server": "what `mien serve` does",
    "allocator": "the memory of a process that only recognises",
    "errors": "",
    "results": "",
    "labels": "",
    "spelling": "the nearest option to a wrong one",
    "reports.scores": "tables to be printed",
    "formats.reading": "what is said of a Keras file, as options say it",
    "formats.keras_import": "silences Keras before the bar of a training is made",
    "zoo.catalogue": "`mien models` lists the networks",
}
"""What commands import when they run, and why: they parse, call one workflow, and print."""


def modules() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if name]


def source_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_of(module: str, *, types_too: bool = True) -> set[str]:
    found = set()
    tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not types_too and id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            if node.module == "mien":
                names = (alias.name for alias in node.names)
                found |= {f"mien.{name}" for name in names if not name.startswith("__")}
            else:
                found.add(str(node.module))
    return found


def layer_of(name: str) -> int:
    top = name.split(".")[0]
    matches = [index for index, layer in enumerate(LAYERS) if top in layer]
    assert matches, f"{name} has no layer; add it to LAYERS"
    return matches[0]


def test_there_are_modules_to_check():
    assert len(modules()) > 30


@pytest.mark.parametrize("module", modules())
def test_imports_go_downwards(module: str):
    own = module.split(".")[0]
    for imported in imports_of(module):
        if not imported.startswith("mien."):
            continue
        other = imported.removeprefix("mien.")
        if other.split(".")[0] == own:
            continue
        assert layer_of(other) <= layer_of(module), f"{module} imports {imported}"
        if layer_of(other) == layer_of(module):
            assert (PACKAGE / f"{other}.py").is_file(), f"{module} imports {imported}"


@pytest.mark.parametrize("module", modules())
def test_neighbours_do_not_know_each_others_insides(module: str):
    for package, known in INSIDE.get(module.split(".")[0], {}).items():
        for imported in imports_of(module):
            other = imported.removeprefix("mien.")
            if other.split(".")[0] == package:
                assert other in known, f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("cli")])
def test_commands_parse_call_a_workflow_and_print(module: str):
    for imported in imports_of(module, types_too=False):
        if imported.split(".")[0] == "mien":
            other = imported.removeprefix("mien.")
            assert any(other == name or other.startswith(f"{name}.") for name in CLI_MAY_IMPORT), (
                f"{module} imports {imported}"
            )


@pytest.mark.parametrize("module", modules())
def test_libraries_stay_where_they_belong(module: str):
    for imported in imports_of(module):
        allowed = MAY_IMPORT.get(imported.split(".")[0])
        if allowed is not None:
            assert any(module == name or module.startswith(f"{name}.") for name in allowed), (
                f"{module} imports {imported}"
            )


@pytest.mark.parametrize("module", modules())
def test_no_eval_and_print_only_in_the_command_line(module: str):
    for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}, module
            assert node.func.id != "print" or module.startswith("cli"), module


@pytest.mark.parametrize("module", modules())
def test_only_labels_spells_class_names(module: str):
    if module == "labels":
        return
    names = {"angry", "disgust", "fear", "happy", "sad", "surprise", "contempt", "uncertain"}
    for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value.lower() not in names, f"{module}, line {node.lineno}"


@pytest.mark.parametrize("module", modules())
def test_modules_are_short(module: str):
    # A hint to look for a second file inside, not a reason to cut one thought in two.
    assert len(source_of(module).read_text(encoding="utf-8").splitlines()) <= 400


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_mien_loads_no_heavy_library():
    code = "import sys, mien; print(*(m for m in sys.modules))"
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert "mien" in loaded
    assert not loaded & {"keras", "tensorflow", "onnxruntime", "cv2", "numpy", "PIL", "rich"}


def test_the_command_line_starts_without_heavy_libraries():
    code = "import sys, mien.cli.app; print(*(m for m in sys.modules))"
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert "typer" in loaded
    assert not loaded & {"keras", "tensorflow", "onnxruntime", "cv2", "numpy", "PIL"}


def test_photos_load_nothing_that_is_for_videos(tmp_path):
    PIL.Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    code = f"""
import sys
from mien.cli.app import main
sys.argv = ["mien", "recognize", {str(tmp_path / "a.png")!r}, "--detector", "haar"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*(m for m in sys.modules))
"""
    loaded = set(run_python(code).split())
    assert {"mien.recognition.recognizer", "onnxruntime"} <= loaded
    assert not loaded & {"mien.recognition.tracks", "mien.recognition.assignment", "av", "scipy"}


def test_public_names_are_those_of_all():
    import mien

    assert len(set(mien.__all__)) == len(mien.__all__)
    for name in mien.__all__:
        assert getattr(mien, name) is not None
    assert set(mien.__all__) <= set(dir(mien))
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = mien.missing


def test_onnx_runtime_is_told_to_report_nothing(monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)  # set here already by importing mien
    code = "import os, mien.model.sessions; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run_python(code).strip() == "1"
