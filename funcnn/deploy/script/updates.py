"""The update of an optimizer as a function of named arrays."""

from __future__ import annotations

from typing import Any

from funcnn import tree
from funcnn.deploy.script.collect import Collected, ScriptError
from funcnn.errors import shown
from funcnn.optim.optimizer import Optimizer
from funcnn.optim.rules.adam import Adam
from funcnn.optim.rules.sgd import SGD, Momentum
from funcnn.optim.where import selects

SGD_TEXT = '''
def update(w, grads, memory):
    """Descend: p - rate g.  Returns the next parameters and what is remembered."""
    rate = rate_of(memory["count"])
    new = {name: w[name] - rate * g for name, g in grads.items()}
    return new, {"count": memory["count"] + 1}
'''

MOMENTUM_TEXT = '''
def update(w, grads, memory):
    """Descend with momentum: v = mu v + g, p - rate STEP.  Returns the next parameters and what is remembered."""
    rate, mu, new = rate_of(memory["count"]), MOMENTUM, {}
    remembered = {"count": memory["count"] + 1}
    for name, g in grads.items():
        v = mu * memory.get(f"v {name}", 0 * g) + g
        new[name] = w[name] - rate * (STEP)
        remembered[f"v {name}"] = v
    return new, remembered
'''

ADAM_TEXT = '''
def update(w, grads, memory):
    """Adam with m = M (1 - beta1) and v = V (1 - beta2): the factors and the corrections of both stand in a and s."""
    rate, t, new = rate_of(memory["count"]), memory["count"] + 1, {}
    s = math.sqrt((1 - BETA2**t) / (1 - BETA2))
    a = rate * s * (1 - BETA1) / (1 - BETA1**t)
    remembered = {"count": memory["count"] + 1}
    for name, g in grads.items():
        m = memory.get(f"m {name}", 0 * g) * BETA1 + g
        v = memory.get(f"v {name}", 0 * g) * BETA2 + g * g
        step = m / (np.sqrt(v) + EPS * s) * a
        p = KEPT
        new[name] = p - step
        remembered[f"m {name}"], remembered[f"v {name}"] = m, v
    return new, remembered
'''


def update_text(collected: Collected, optimizer: Optimizer, params: Any) -> str:
    """Return the functions ``rate_of`` and ``update`` of an optimizer.

    Raises
    ------
    ScriptError
        When it is none of those that are written: sgd, momentum, nesterov, adam, adamw.
    """
    if type(optimizer) is SGD:
        text = SGD_TEXT
    elif type(optimizer) is Momentum:
        step = "g + mu * v" if optimizer.nesterov else "v"
        text = MOMENTUM_TEXT.replace("MOMENTUM", repr(optimizer.momentum)).replace("STEP", step)
    elif type(optimizer) is Adam:
        collected.imports.add("import math")
        text = ADAM_TEXT.replace("KEPT", decay(optimizer, params))
        for word, value in (("BETA1", optimizer.beta1), ("BETA2", optimizer.beta2), ("EPS", optimizer.eps)):
            text = text.replace(word, repr(value))
    else:
        raise ScriptError(
            f"the optimizer {shown(optimizer)} cannot be written as plain NumPy: take sgd, momentum, nesterov, adam or adamw"
        )
    return f"{rate_text(collected, optimizer.learning_rate)}\n\n\n{text.strip()}"


def rate_text(collected: Collected, rate: Any) -> str:
    """Return the function of the learning rate."""
    if callable(rate):
        said, value = "Return the learning rate after so many updates.", f"{collected.expression(rate)}(count)"
    else:
        said, value = "Return the learning rate, the same after any number of updates.", repr(float(rate))
    return f'def rate_of(count):\n    """{said}"""\n    return {value}'


def decay(optimizer: Adam, params: Any) -> str:
    """Return the expression of a parameter before its step: decayed, where it is."""
    if not optimizer.weight_decay:
        return "w[name]"
    chosen = [f"params{path}" for path, leaf in tree.walk(params) if selects(optimizer.where, path, leaf.shape)]
    kept = f"w[name] * (1 - rate * {optimizer.weight_decay!r})"
    if len(chosen) == len(tree.leaves(params)):
        return kept
    return f"{kept} if name in {set(chosen)!r} else w[name]" if chosen else "w[name]"
