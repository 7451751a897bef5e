"""The script of docs/estimators.md, with scikit-learn."""

from pathlib import Path

import pytest

from tests.test_docs import DOCS, blocks, without_figures


def test_the_scripts_of_a_page_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = DOCS / "estimators.md"
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page, "python")), page.name, "exec"), {"__name__": "__main__"})
    assert without_figures("\n".join(blocks(page, "text"))) == without_figures(capsys.readouterr().out)
