"""The examples of the documentation run, and reach what they claim."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
DEMANDED = {"compare_checkers"}  # runs the rules of other checkers: on demand, not in every test run


def run(name: str, /, **options: Any) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(**options)


def test_one_neuron_by_hand() -> None:
    y, difference = run("neuron")
    assert y == pytest.approx(0.0996679946)  # tanh(0.1)
    assert difference < 1e-15


def test_xor_is_learned() -> None:
    assert run("xor") < 0.05


def test_spirals_are_told_apart() -> None:
    assert run("spirals") >= 0.95


def test_regression_finds_the_curve() -> None:
    assert run("regression") < 0.03


def test_rents_are_told_from_tables(tmp_path: Path) -> None:
    error, baseline = run("flats", rows=800, picture=str(tmp_path / "flats.svg"))
    assert error < baseline / 2
    assert (tmp_path / "flats.svg").read_text().startswith("<?xml")


def test_pictures_are_drawn_of_what_was_learned(tmp_path: Path) -> None:
    found = run("look_inside", epochs=3, folder=str(tmp_path), points=3)
    assert found["accuracy"] > 0.9
    assert found["lowest_loss"] == found["loss_in_the_middle"]
    assert len(list(tmp_path.glob("*.svg"))) == 6


def test_digits_are_read() -> None:
    assert run("digits") >= 0.98


def test_anomalies_are_found() -> None:
    assert run("anomalies") >= 0.99


def test_a_regression_finds_the_noise() -> None:
    off, miscalibrated = run("uncertainty")
    assert off < 0.1
    assert miscalibrated < 0.02


def test_digits_are_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "drawn.png"
    assert run("vae", picture=str(picture)) < 26
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_own_layer_passes_and_its_mistake_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    right, where = run("own_layer")
    assert right
    assert where == "params.frequency"
    assert "amplitude" in capsys.readouterr().out.split("diagnosis")[1]


def test_the_loop_without_fit() -> None:
    assert run("training_loop") >= 0.97


def test_gated_units_remember_where_simple_ones_forget() -> None:
    errors = run("memory")
    assert errors["rnn"] > 0.15  # who remembers nothing has 1/6
    assert errors["lstm"] < 0.04
    assert errors["gru"] < 0.04


def test_a_convolutional_network_reads_digits_better() -> None:
    assert run("convnet") >= 0.985


def test_lines_are_learned_character_by_character() -> None:
    losses = run("shakespeare")
    assert losses["gpt"] < 1.7
    assert losses["lstm"] < 0.7


@pytest.mark.parametrize(("name", "least"), [("mlp", 0.94), ("lenet5", 0.92), ("convnet", 0.95)])
def test_networks_learn_in_two_epochs(name: str, least: float) -> None:
    assert run("mnist", name=name) >= least


def test_the_heat_equation_is_solved_by_a_network() -> None:
    assert run("heat", steps=12) < 1e-2  # of u = 0 it is 1


def test_a_law_of_motion_is_learned_from_paths() -> None:
    seen, later = run("neural_ode", epochs=30)
    assert seen < 0.15
    assert later < 0.3


def test_a_critic_tells_the_distance_of_clouds() -> None:
    assert run("critic", steps=400) == pytest.approx(5.125, abs=0.25)  # a short run


def test_digits_are_read_privately() -> None:
    accuracy, epsilon = run("private_digits")
    assert accuracy > 0.9
    assert epsilon <= 3


def test_wrong_labels_have_long_gradients() -> None:
    found, area = run("mislabelled")
    assert found > 0.85
    assert area > 0.99


def test_a_network_says_how_sure_it_is() -> None:
    found = run("laplace")
    assert abs(found["noise"] - 0.1) < 0.02
    assert 0.93 < found["held"] < 0.98
    assert found["wider"] > 10
    assert found["laplace"] < found["plain"] / 3
    assert found["laplace_loss"] < found["plain_loss"]


def test_influence_is_what_training_without_an_example_does() -> None:
    convex, _ = run("influence", examples=40, network=0)
    assert convex >= 0.95


def test_training_ends_where_the_hessian_has_no_negative_directions() -> None:
    found = run("hessian_spectrum", epochs=30, steps=20)
    assert found["before"] < -0.1
    assert found["least"] > -0.01
    assert found["largest"] > 3 * found["tenth"]


def test_a_published_network_learns_other_classes() -> None:
    found = run("fine_tuning", epochs=24)
    assert found["accuracy"] > 0.7
    assert found["moved"] < 0.1
    assert found["off"] < 1e-4
    assert found["same"]


def test_the_gradient_through_a_step_learns_to_learn() -> None:
    found = run("maml", steps=40)
    assert found["with the Hessian"] < found["nothing learned"]
    assert found["with the Hessian, off"] < 1e-6
    assert found["first order, off"] > 0.01


def test_every_example_is_run() -> None:
    text = Path(__file__).read_text()
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {name for name in names if f'run("{name}"' in text} | DEMANDED
