"""The pytest plugin: a fixture that checks gradients and fails with the report.

::

    def test_my_gradient(gradcheck):
        gradcheck(f, vjp, x, w)
        gradcheck.layer(fn.dense(3), (4,), mode=fn.Train(fn.Key(0)))

``--gradcheck-seed`` and ``--gradcheck-mode`` set the seed and the thoroughness of all of them.

Every pytest process of everybody who has the package installed imports this module: NumPy and the checks come with the first
use of the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from funcnn.check.fixture import GradCheck


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("gradcheck", "gradient checks")
    group.addoption("--gradcheck-seed", type=int, default=0, metavar="N", help="seed of cotangents and directions (default: 0)")
    group.addoption(
        "--gradcheck-mode",
        choices=("auto", "full", "screen"),
        default="auto",
        help="look at every entry (full), along random directions (screen), or by the size of the leaf (auto, the default)",
    )


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> GradCheck:
    """Check gradients against finite differences."""
    from funcnn.check.fixture import GradCheck

    config = request.config
    return GradCheck({"seed": config.getoption("--gradcheck-seed"), "method": config.getoption("--gradcheck-mode")})
