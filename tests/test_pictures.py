"""The pictures of docs/beyond come from their scripts, and show what their pages say."""

import importlib.util
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
NAMES = sorted(path.stem for path in PICTURES.glob("*.py") if path.stem != "drawing")


def jvp(errors: Any) -> None:
    forwards, central, complex_step = errors.values()
    assert 1e-10 < forwards.min() < 1e-7
    assert 1e-12 < central.min() < 1e-9
    assert complex_step[:24].max() < 1e-14  # every step below 1e-8


def hvp(found: Any) -> None:
    near = found["near"] < 0.05
    t = found["near"][near]
    for name, power in (("line", 2), ("parabola", 3)):
        error = np.abs(found["near loss"] - found[f"near {name}"])[near]
        (slope, _) = np.polyfit(np.log(t), np.log(error), 1)
        assert slope == pytest.approx(power, abs=0.1)  # fitted to points: higher powers bend the line


def ggn(found: Any) -> None:
    for hessian, matrix, _ in found.values():
        assert matrix.min() > -1e-12
        assert hessian.min() < 0
    assert found["after training"][2] < 0.1 < 0.5 < found["before training"][2]


def per_example(found: Any) -> None:
    norms, wrong = found
    assert wrong[np.argmax(norms)]
    assert np.median(norms[~wrong]) < norms[wrong].min()


def kfac(found: Any) -> None:
    exact, near = found.values()
    np.testing.assert_allclose(exact, exact.T, atol=1e-12)
    assert not near[:25, 25:].any()
    for part in (slice(0, 25), slice(25, 43)):
        assert 0 < np.linalg.norm((exact - near)[part, part]) < np.linalg.norm(exact[part, part]) / 2


def traces(found: Any) -> None:
    values, errors = found
    assert values.min() > -1e-12
    median = {name: np.median(np.abs(error), axis=1) for name, error in errors.items()}
    assert median["hutchinson"][-1] > 5 * median["hutch_plus_plus"][-1]
    assert median["hutchinson"][-1] > 5 * median["xtrace"][-1]


def conjugate_gradient(found: Any) -> None:
    last = [int(steps[-1]) for _, steps, _ in found.values()]
    assert last == sorted(last)
    assert all(1.5 < after / before < 3 for before, after in itertools.pairwise(last))
    assert all(residuals[-1] <= 1e-9 for _, _, residuals in found.values())


def second_order(found: Any) -> None:
    last = {name: losses[-1] for name, losses in found.items()}
    assert last["Levenberg-Marquardt"] < min(last["L-BFGS"], last["Adam"]) / 10
    assert all(losses[0] > losses[-1] for losses in found.values())


def tangent_kernel(found: Any) -> None:
    kernel, change = found
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
    assert change[0].min() > 0.5
    assert change[-1].max() < 1e-3


def implicit_layers(found: Any) -> None:
    assert found["discrete adjoint"].max() < 1e-12
    assert found["continuous adjoint"][0] > 1e-3
    assert found["continuous adjoint"][-1] < 1e-10


CLAIMS = {
    "conjugate-gradient": conjugate_gradient,
    "ggn": ggn,
    "hvp": hvp,
    "implicit-layers": implicit_layers,
    "jvp": jvp,
    "kfac": kfac,
    "per-example": per_example,
    "second-order": second_order,
    "tangent-kernel": tangent_kernel,
    "traces": traces,
}


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(PICTURES))
    monkeypatch.delitem(sys.modules, "drawing", raising=False)
    spec = importlib.util.spec_from_file_location(f"picture_{name}", PICTURES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(svg: str) -> list[str]:
    """Return what is written in a picture: titles, labels, ticks and the numbers of legends."""
    return [re.sub(r"<[^>]*>|\s+", "", text) for text in re.findall(r"<text.*?</text>", svg, re.DOTALL)]


def test_every_script_has_its_claims() -> None:
    assert sorted(CLAIMS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_comes_from_its_script_and_shows_what_is_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts are compared, numbers by what the page says of them: last digits depend on the machine."""
    CLAIMS[name](script(name, monkeypatch).main(tmp_path / "fresh.svg"))
    kept = (PICTURES / f"{name}.svg").read_text()
    assert texts((tmp_path / "fresh.svg").read_text()) == texts(kept) != []
    assert len(kept.encode()) < 40_000
    assert f"(../pictures/{name}.svg)" in (PICTURES.parent / "beyond" / f"{name}.md").read_text()
