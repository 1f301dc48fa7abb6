"""The same circuits as a plain PyTorch loop, as their users write them."""

import time

import numpy as np
import torch
from serve import serve

torch.set_num_threads(1)
READY = {}


def _leaf(array):
    return torch.tensor(np.asarray(array, dtype=np.float32), requires_grad=True)


def _sequence_loss(kept):
    names = ("from_input", "gates_from_y", "gates_from_a", "recurrent", "pool", "theta")
    p = {name: _leaf(kept[name]) for name in (*names, "head", "bias")}
    x = torch.tensor(kept["x"])
    labels = torch.arange(len(x)) % 10
    start = torch.tensor(kept["start"])
    h_y, h_a, h_b = (float(h) for h in kept["largest"])
    hidden = start.shape[1]

    def loss():
        steps = torch.sigmoid(p["theta"])
        weights = torch.clamp(torch.exp(p["pool"]), 0.0, 1.0)
        z_w, gates_w = p["from_input"][:hidden], p["from_input"][hidden:]
        y, a, b1 = (row.expand(len(x), hidden) for row in start)
        b0 = torch.ones_like(y)
        for t in range(x.shape[1]):
            u = x[:, t]
            z = torch.relu(u @ z_w.T)
            gates = u @ gates_w.T + y @ p["gates_from_y"].T + a @ p["gates_from_a"].T
            gate0, gate1 = torch.sigmoid(gates).chunk(2, dim=1)
            above = torch.relu(a)
            echo = torch.relu(y @ p["recurrent"].T)
            pooled = (torch.relu(y) ** 2 * above) @ weights.T
            new_y = y + h_y * steps[0] * (-y + b1 * z + (1 - torch.sqrt(above)) * echo)
            new_a = a + h_a * steps[1] * (-a + b0**2 + pooled)
            b0 = b0 + h_b * steps[2] * (gate0 - b0)
            b1 = b1 + h_b * steps[3] * (gate1 - b1)
            y, a = new_y, new_a
        return torch.nn.functional.cross_entropy(y @ p["head"].T + p["bias"], labels)

    return loss, list(p.values())


def _static_loss(kept):
    names = ("drive", "gain", "beta", "pool", "recurrent", "head", "bias")
    p = {name: _leaf(kept[name]) for name in names}
    x = torch.tensor(kept["x"])
    labels = torch.arange(len(x)) % 10
    unit = torch.eye(p["recurrent"].shape[0])

    def loss():
        z = x @ p["drive"].T
        z = z / torch.linalg.norm(z, dim=1, keepdim=True)
        bz = torch.sigmoid(x @ p["gain"].T) * z
        floor = torch.sigmoid(p["beta"]) ** 2 + 1e-10
        weights = torch.exp(p["pool"])
        recurrent = p["recurrent"] / torch.linalg.matrix_norm(p["recurrent"], 2)
        y = bz @ recurrent.T
        a = floor + y**2 @ weights.T
        for _ in range(10):
            matrix = unit - (1 - torch.sqrt(a))[:, :, None] * recurrent
            y = torch.linalg.solve(matrix, bz[:, :, None])[:, :, 0]
            a = floor + (a * y**2) @ weights.T
        rates = torch.relu(y) ** 2
        return torch.nn.functional.cross_entropy(rates @ p["head"].T + p["bias"], labels)

    return loss, list(p.values())


def _timed(kind, make, path, size, fresh):
    if fresh:
        with np.load(path) as kept:
            loss, parameters = make(dict(kept))
        READY[kind, size] = (loss, torch.optim.Adam(parameters, lr=0.01), float(loss().detach()))
    loss, adam, first = READY[kind, size]
    began = time.process_time()
    adam.zero_grad()
    loss().backward()
    adam.step()
    return {"step": time.process_time() - began, "loss": first}


def sequence(path, size, batch, length, fresh):
    """A step on pixel sequences."""
    del batch, length
    return _timed("sequence", _sequence_loss, path, size, fresh)


def static(path, size, batch, length, fresh):
    """A step of a static layer, ten solves unrolled."""
    del batch, length
    return _timed("static", _static_loss, path, size, fresh)


if __name__ == "__main__":
    serve({"sequence": sequence, "static": static})
