"""The scripts of docs/deploy.md, with the libraries that they import."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "deploy.md"


def test_the_scripts_of_the_page_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    exec(compile(scripts, PAGE.name, "exec"), {"__name__": "__main__"})
    shown = [line.partition("# ")[2] for line in scripts.splitlines() if line.strip().startswith("print(")]
    assert capsys.readouterr().out.splitlines() == shown
    (page_of_step,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    written = (tmp_path / "step.py").read_text().splitlines()
    assert [line for line in page_of_step.splitlines() if not any(one.startswith(line) for one in written)] == []
