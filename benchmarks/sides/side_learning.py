"""SciPy's L-BFGS-B from many starts on a network's loss, with gradients by hand or by JAX."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize
from serve import serve
from triatomic_loss import Loss

jax.config.update("jax_enable_x64", True)


def _jitted(path: str, l2: float):
    with np.load(path) as table:
        inputs, labels = jnp.asarray(table["inputs"]), jnp.asarray(table["labels"])

    def loss(x):
        h = (len(x) - 4) // 8
        w1, b1 = x[: 3 * h].reshape(h, 3), x[3 * h : 4 * h]
        w2, b2 = x[4 * h : 8 * h].reshape(4, h), x[8 * h :]
        logits = jnp.tanh(inputs @ w1.T + b1) @ w2.T + b2
        right = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -jnp.mean(right) + l2 * x @ x

    compiled = jax.jit(jax.value_and_grad(loss))

    def value_and_grad(x):
        value, grad = compiled(x)
        return float(value), np.asarray(grad)

    return value_and_grad


def quench(data: str, starts: str, l2: float, how: str, budget: float, out: str) -> dict:
    """Quench starts one after another until the CPU time is used up; write where they end."""
    rows = np.load(starts)
    function = _jitted(data, l2) if how == "jax" else Loss(data, l2).value_and_grad
    function(rows[0])  # compilation is not counted
    options = {"gtol": 1e-9, "ftol": 0.0, "maxiter": 50_000, "maxfun": 100_000, "maxcor": 10}
    began, ends, evaluations = time.process_time(), [], 0
    for x in rows:
        found = minimize(function, x, jac=True, method="L-BFGS-B", options=options)
        ends.append(found.x)
        evaluations += found.nfev
        if time.process_time() - began > budget:
            break
    spent = time.process_time() - began
    np.save(out, np.array(ends))
    return {"cpu": spent, "quenches": len(ends), "evaluations": evaluations}


if __name__ == "__main__":
    serve({"quench": quench})
