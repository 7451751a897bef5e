"""Every command that the documentation shows is run as it is shown, or stands here with the reason why not.

Placeholders in capitals are filled in; a command that would train long is given further options, which come last and count.
"""

import os
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")), *sorted((DOCS / "examples").glob("*.py")))
COMMAND = re.compile(
    r"\bpython (?:-m (?:funcnn|tests|pytest|mypy|ruff|mkdocs)\b|docs/(?:examples|pictures)/[\w-]+\.py)[^`\n#|&)]*"
)
IN_LINE = re.compile(r"(?<!`)`[^`]+`(?!`)")
LINES = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 6
GPT = "--steps 2 --layers 1 --heads 2 --features 16 --context-length 16"

RUN = {  # command: the options that make it short
    "python -m funcnn --help": "",
    "python -m funcnn --model convnet": "--epochs 1 --channels 4",
    "python -m funcnn --model lenet5 --data FOLDER": "--epochs 1",
    'python -m funcnn --model gpt --text FILE --prompt "To be"': f"{GPT} --sample 9",
    "python -m funcnn predict RUN": "",
    "python -m funcnn predict RUN new.csv": "",
    "python -m funcnn --data table.csv --target price": "--epochs 2 --certify skip",
    "python -m funcnn --data table.csv --target price --cv 5": "--epochs 2 --certify skip --cv 2",
    "python -m funcnn --data table.csv --task anomalies": "--epochs 2 --certify skip",
    "python -m funcnn sample RUN": "--count 9",
    "python -m funcnn certify NAME": "--quick --workers 1",
    "python -m funcnn check own_layer:sine --shape 3": "",
    "python -m funcnn check module:factory --shape 3": "",
    "python docs/examples/anomalies.py 0 1 2 3 4 5 6 7 8 9": "",
    "python docs/examples/digits.py --splits 5": "--splits 1",
    "python -m tests.rates --seed 23 --only 17": "",
    "python docs/examples/memory.py --length 100 --steps 2000 --seeds 3 --picture curves.svg": "--length 12 --steps 20 --seeds 1",
    "python docs/examples/mnist.py --model convnet --data FOLDER": "--epochs 2",
    "python docs/examples/mnist.py --model lenet5 --data FOLDER": "--epochs 2",
    "python docs/examples/mnist.py --model lenet5 --still --data FOLDER": "--epochs 2",
    "python docs/examples/mnist.py --model mlp --data FOLDER": "--epochs 2",
    "python docs/examples/uncertainty.py --picture uncertainty.svg": "",
    "python docs/examples/vae.py --data FOLDER --picture vae.png": "--epochs 2",
}
NOT_RUN = {  # command: why
    "python -m tests.benchmarks.runtimes": "measures times, and needs onnxruntime",
    "python -m funcnn export RUN --onnx FILE --script FILE": "needs onnx: tests/ecosystem/deploy runs it",
    "python -m funcnn": "run below, and compared with what the README shows",
    "python -m funcnn --resume RUN": "tests/test_cli.py interrupts runs and resumes them, and compares the bits",
    "python -m funcnn serve RUN": "it serves until it is stopped: tests/cli/test_serve.py asks it",
    "python -m tests.benchmarks.serving": "measures times",
    "python -m tests.benchmarks.ranks": "measures times, and needs MPI",
    "python -m funcnn certify --page docs/certificate.md": "takes an hour; .ci/run issues the quick form",
    "python -m tests.mutants": "takes hours; tests/mutants/test_mutants.py runs it on some functions",
    "python -m tests.mutants --page docs/mutation-score.md": "the same, which writes its page",
    "python -m funcnn --data sklearn:diabetes --target target": "tests/ecosystem/test_tables.py, where scikit-learn is installed",
    "python -m tests.benchmarks.tables": "measures times, and needs scikit-learn and pandas",
    "python -m tests.benchmarks": "measures times, which tests do not",
    "python -m tests.benchmarks --growth": "measures times",
    "python -m tests.benchmarks.estimators": "measures times, and needs scikit-learn",
    "python -m tests.benchmarks.generation --threads 1": "measures times, and needs transformers",
    "python -m tests.benchmarks --fit": "measures times",
    "python -m tests.benchmarks.pictures": "measures times",
    "python -m funcnn --model convnet --data FOLDER --image-size 64": "tests/cli/test_picture_folder.py learns from one",
    "python -m funcnn predict RUN picture.jpg": "tests/cli/test_picture_folder.py does so",
    "python -m funcnn predict RUN NEW_PICTURES --output classes.csv": "tests/cli/test_picture_folder.py does so",
    "python -m tests.benchmarks --peak": "measures times",
    "python -m tests.benchmarks --all --docs docs/benchmarks.md": "measures times, and writes its page",
    "python -m pytest -q -n 2": "this is what runs",
    "python -m mypy": "tests/test_types.py runs it",
    "python docs/examples/shakespeare.py input.txt": "2,000 steps; tests/test_examples.py learns the lines that stand in it",
    "python -m tests.coverage": "needs PyTorch and ONNX",
    "python -m tests.coverage --page docs/coverage.md": "the same, which writes its page",
    "python -m tests.benchmarks.torch_products": "needs PyTorch",
    "python -m tests.benchmarks.curvature_peers": "needs PyTorch, BackPACK, curvlinops and laplace-torch, and measures times",
    "python -m tests.benchmarks.torch_product_speed": "needs PyTorch, and measures times",
    "python -m tests.benchmarks.public_gradients": "needs the packages that it looks at",
    "python -m tests.rates --functions 4900 --textbook 900 --seed 23 --workers 2 --page docs/error-rates.md": "minutes",
    'python -m funcnn sample FOLDER --prompt "Once upon a time"': "tests/cli/test_published.py writes with such a folder",
    "python -m funcnn predict FOLDER image.png": "tests/cli/test_published.py has such a folder see",
    "python docs/examples/fine_tuning.py --folder FOLDER": "tests/test_examples.py runs it in short form, without a folder",
    "python docs/examples/hessian_spectrum.py --picture hessian_spectrum.svg": "tests/test_examples.py runs it in short form",
    "python docs/examples/influence.py --picture influence.svg": "tests/test_examples.py runs it in short form",
    "python docs/examples/laplace.py --picture laplace.svg": "tests/test_examples.py runs it",
    "python docs/examples/maml.py": "half a minute; tests/test_examples.py runs it in short form",
    "python docs/examples/mislabelled.py": "tests/test_examples.py runs it",
    "python docs/examples/private_digits.py --epsilon 3": "tests/test_examples.py runs it",
    "python docs/examples/critic.py": "tests/test_examples.py runs it in short form",
    "python docs/pictures/jvp.py": "tests/test_pictures.py draws each picture anew",
    "python docs/examples/heat.py --picture heat.svg": "half a minute; tests/test_examples.py runs it in short form",
    "python docs/examples/neural_ode.py": "tests/test_examples.py runs it in short form",
    "python docs/examples/compare_checkers.py": "a minute and more; its rules are those of other programs",
}


def documented() -> set[str]:
    """Return the commands of all pages and examples."""
    texts = (IN_LINE.sub(one_line, path.read_text().replace(".venv/bin/", "")) for path in PAGES)
    return {command.strip().rstrip(".,:;") for text in texts for command in COMMAND.findall(text)}


def one_line(code: re.Match[str]) -> str:
    """Return a command that stands within a paragraph, which may be wrapped anywhere, on one line."""
    return code[0].replace("\n", " ")


def test_every_documented_command_is_known_here() -> None:
    assert {"shown": documented() - {*RUN, *NOT_RUN}, "gone": {*RUN, *NOT_RUN} - documented()} == {"shown": set(), "gone": set()}


def call(command: str, folder: Path) -> str:
    """Run a command in a folder; return what it printed."""
    words = shlex.split(command.replace("docs/examples", str(DOCS / "examples")))
    paths = os.pathsep.join([str(ROOT), str(DOCS / "examples")])
    environment = {**os.environ, "PYTHONPATH": paths, "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.stderr.count("Traceback") == 0
    return done.stdout


def idx_folder(folder: Path) -> Path:
    """Write a small data set of 28 x 28 pixels as MNIST's four files."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    for part, count in (("train", 320), ("t10k", 80)):
        images = generator.integers(256, size=(count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *images.shape) + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels.tobytes())
    return folder


def filled_in(command: str, folder: Path) -> str:
    """Return a command with what its placeholders stand for, which is made first."""
    if "FOLDER" in command:
        command = command.replace("FOLDER", str(idx_folder(folder / "images")))
    if "NAME" in command:
        command = command.replace("NAME", "relu")
    if "FILE" in command:
        (folder / "text.txt").write_text(LINES)
        command = command.replace("FILE", "text.txt")
    if ".csv" in command:
        rows = [f"{row % 7},{'abc'[row % 3]},{3 * (row % 7) + row % 3 + 0.5}" for row in range(60)]
        (folder / "table.csv").write_text("\n".join(["size,kind,price", *rows]))
        (folder / "new.csv").write_text("kind,size\na,3\nb,\n")
    if "RUN new.csv" in command:
        call("python -m funcnn --data table.csv --target price --epochs 1 --certify skip --output made", folder)
        command = command.replace("RUN", "made")
    if "RUN" in command:
        (folder / "text.txt").write_text(LINES)
        makes = f"--model gpt --text text.txt {GPT}" if "sample" in command else "--data xor --epochs 1"
        call(f"python -m funcnn {makes} --output made", folder)
        command = command.replace("RUN", "made")
    if "module:factory" in command:
        (folder / "module.py").write_text("import funcnn as fn\n\n\ndef factory():\n    return fn.tanh()\n")
        command = command.replace("module:factory", "./module.py:factory")
    return command


@pytest.mark.parametrize("command", RUN)
def test_a_documented_command_runs(command: str, tmp_path: Path) -> None:
    call(f"{filled_in(command, tmp_path)} {RUN[command]}", tmp_path)


def test_the_readme_shows_what_the_first_command_prints(tmp_path: Path) -> None:
    """Figures apart, which depend on the machine's last digits."""
    (shown,) = re.findall(r"^```text\n(Gradient .*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    printed = {without_figures(line) for line in call("python -m funcnn", tmp_path).splitlines()}
    lines = [without_figures(line) for line in shown.splitlines() if line.strip() not in ("...", "")]
    assert [line for line in lines if line not in printed] == []
    assert len(lines) > 15


def without_figures(line: str) -> str:
    """Return a line with every number a 0, every gap a space, and without what depends on the time: how a leaf is compared."""
    line = re.sub(r"every entry|\d+ directions", "", line)
    return re.sub(r"\s+", " ", re.sub(r"\d[\d,]*(\.\d+)?(e[+-]?\d+)?", "0", line)).strip()
