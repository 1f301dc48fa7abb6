"""Potentials in PyTorch on the same molecule, with random weights: cost depends on none of them."""

import os

# MACE's e3nn reads a table of its own that holds a slice object.
os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")

from pathlib import Path

import numpy as np
import torch
from serve import repeated, serve

torch.set_num_threads(1)
READY = {}
ELEMENTS = (1, 6, 7, 8)
BLOCK = 50
"""Molecules in one batch of MACE."""


def _structures(folder):
    data = np.load(Path(folder, "molecule.npz"))
    return data["numbers"].astype(int), 10.0 * data["x"]


def _ani(folder):
    """ANI's symmetry functions and networks, in single precision as they are used."""
    from torchani.arch import simple_ani

    numbers, x = _structures(folder)
    model = simple_ani(("H", "C", "N", "O"), lot="wb97x-631gd", repulsion=False)

    def evaluate(count):
        points = torch.tensor(x[:count], dtype=torch.float32, requires_grad=True)
        species = torch.tensor(numbers).expand(len(points), -1)
        energies = model((species, points)).energies
        torch.autograd.grad(energies.sum(), points)

    return model, evaluate


def _mace(folder):
    """MACE, 64 invariant channels, two layers, correlation 3."""
    import ase
    from e3nn import o3
    from mace import data, modules, tools
    from mace.tools.torch_geometric.dataloader import DataLoader

    torch.set_default_dtype(torch.float32)
    numbers, x = _structures(folder)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = modules.ScaleShiftMACE(
        r_max=5.0, num_bessel=8, num_polynomial_cutoff=5, max_ell=2, interaction_cls=block,
        interaction_cls_first=block, num_interactions=2, num_elements=len(ELEMENTS),
        hidden_irreps=o3.Irreps("64x0e"), MLP_irreps=o3.Irreps("16x0e"),
        gate=torch.nn.functional.silu, atomic_energies=np.zeros(len(ELEMENTS)),
        avg_num_neighbors=12.0, atomic_numbers=list(ELEMENTS), correlation=3,
        radial_MLP=[64, 64, 64], radial_type="bessel", atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )  # fmt: skip
    table = tools.AtomicNumberTable(list(ELEMENTS))
    ready = {}

    def batches(count):
        if count not in ready:
            graphs = [
                data.AtomicData.from_config(
                    data.config_from_atoms(ase.Atoms(numbers, one)), z_table=table, cutoff=5.0
                )
                for one in x[:count]
            ]
            ready[count] = [b.to_dict() for b in DataLoader(graphs, batch_size=BLOCK)]
        return ready[count]

    def evaluate(count):
        # Neighbours are found once and not timed.
        for batch in batches(count):
            model(batch, compute_force=True)

    return model, evaluate


MODELS = {"ani": _ani, "mace": _mace}


def _ready(model, folder):
    if (model, folder) not in READY:
        READY[model, folder] = MODELS[model](folder)
    return READY[model, folder]


def single(model, folder):
    """One molecule from Python."""
    net, evaluate = _ready(model, folder)
    count = sum(p.numel() for p in net.parameters())
    return {"seconds": repeated(lambda: evaluate(1)), "parameters": count}


def many(model, folder):
    """All structures."""
    net, evaluate = _ready(model, folder)
    count = sum(p.numel() for p in net.parameters())
    total = len(_structures(folder)[1])
    return {"seconds": repeated(lambda: evaluate(total)) / total, "parameters": count}


serve({"single": single, "many": many})
