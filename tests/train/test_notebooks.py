"""What records show in a notebook: the figures of their text, as HTML in which nothing of the data is markup."""

import re
from html import unescape

import numpy as np

import funcnn as fn


def cells(html: str) -> list[str]:
    return [unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", html)]


MODEL = fn.dense(3) >> fn.residual(fn.dense(3) >> fn.tanh()) >> fn.dense(2)


def test_tables_of_networks_and_parameters_have_the_cells_of_their_text() -> None:
    start = MODEL.init(fn.Key(0), (4,))
    for shown in (fn.summary(MODEL, (4,)), fn.tree.table(start.params)):
        words = " ".join(" ".join(cells(shown._repr_html_())).split())
        expected = [line for line in str(shown).splitlines() if line and not line.startswith(("---", "float"))]
        assert words == " ".join(" ".join(expected).split())


def test_a_history_and_a_fit_show_their_first_and_last_epochs() -> None:
    x, y = np.ones((4, 4)), np.zeros((4, 2))
    fitted = fn.fit(MODEL, fn.mean_squared_error(), fn.sgd(0.1), x, y, key=fn.Key(0), epochs=15, batch_size=4)
    shown = cells(fitted.history._repr_html_())
    assert shown[: len(fitted.history.rows[0].values) + 1][0] == "epoch"
    assert f"{fitted.history.last['loss']:.5g}" in shown
    assert "…" in shown
    assert fitted.history._repr_html_() in fitted._repr_html_()
    assert "15 epochs, finished; 35 parameters" in fitted._repr_html_()
    assert fn.History()._repr_html_() == "<p>no epoch was completed</p>"


def test_a_layer_shows_its_parts_and_no_markup_of_its_name() -> None:
    shown = MODEL._repr_html_()
    assert shown.count("<li>") == shown.count("</li>") == 6
    assert [name for name in re.findall(r"[a-z_]+(?:\(\d\))?(?=<)", shown) if name in ("dense(3)", "tanh", "dense(2)")] == [
        "dense(3)", "dense(3)", "tanh", "dense(2)",
    ]  # fmt: skip
    named = fn.define_layer("<b>", MODEL.init, MODEL.forward, MODEL.backward)
    assert named._repr_html_() == "<div><code>&lt;b&gt;</code></div>"
