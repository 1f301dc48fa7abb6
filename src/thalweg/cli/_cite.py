"""`thalweg cite`: where the methods come from."""

import dataclasses

from . import _options as options
from ._talk import data, print_json, reported


@dataclasses.dataclass(frozen=True)
class Reference:
    """A method and its source."""

    method: str
    source: str


REFERENCES = (
    Reference("L-BFGS", "Nocedal, Math. Comput. 35, 773 (1980)"),
    Reference("L-BFGS", "Liu & Nocedal, Math. Program. 45, 503 (1989)"),
    Reference(
        "FIRE", "Bitzek, Koskinen, Gähler, Moseler & Gumbsch, Phys. Rev. Lett. 97, 170201 (2006)"
    ),
    Reference("basin hopping", "Li & Scheraga, PNAS 84, 6611 (1987)"),
    Reference("basin hopping", "Wales & Doye, J. Phys. Chem. A 101, 5111 (1997)"),
    Reference(
        "exchange between walkers",
        "Strodel, Lee, Whittleston & Wales, J. Am. Chem. Soc. 132, 13300 (2010)",
    ),
    Reference("hybrid eigenvector following", "Munro & Wales, Phys. Rev. B 59, 3969 (1999)"),
    Reference("lowest modes", "Knyazev, SIAM J. Sci. Comput. 23, 517 (2001)"),
    Reference("dimer", "Henkelman & Jónsson, J. Chem. Phys. 111, 7010 (1999)"),
    Reference("dimer", "Heyden, Bell & Keil, J. Chem. Phys. 123, 224101 (2005)"),
    Reference("dimer", "Kästner & Sherwood, J. Chem. Phys. 128, 014106 (2008)"),
    Reference("doubly nudged elastic band", "Trygubenko & Wales, J. Chem. Phys. 120, 2082 (2004)"),
    Reference("missing connections", "Carr, Trygubenko & Wales, J. Chem. Phys. 122, 234903 (2005)"),
    Reference("completeness", "Good, Biometrika 40, 237 (1953)"),
    Reference("completeness", "Chao, Biometrics 43, 783 (1987)"),
    Reference("completeness", "Bulmer, Biometrics 30, 101 (1974)"),
    Reference("disconnectivity graph", "Becker & Karplus, J. Chem. Phys. 106, 1495 (1997)"),
    Reference("disconnectivity graph", "Wales, Miller & Walsh, Nature 394, 758 (1998)"),
    Reference("elimination", "Grassmann, Taksar & Heyman, Oper. Res. 33, 1107 (1985)"),
    Reference("graph transformation", "Wales, J. Chem. Phys. 130, 204111 (2009)"),
    Reference("fastest paths", "Evans & Wales, J. Chem. Phys. 121, 1080 (2004)"),
    Reference("Kramers rates", "Kramers, Physica 7, 284 (1940)"),
    Reference("metastable groups", "Deuflhard & Weber, Linear Algebra Appl. 398, 161 (2005)"),
    Reference("steepest descent", "Page & McIver, J. Chem. Phys. 88, 922 (1988)"),
    Reference(
        "exponential Rosenbrock method",
        "Hochbruck, Ostermann & Schweitzer, SIAM J. Numer. Anal. 47, 786 (2009)",
    ),
    Reference("cooperativity index", "Stillinger & Weber, Phys. Rev. A 28, 2408 (1983)"),
    Reference("network statistics", "Doye, Phys. Rev. Lett. 88, 238701 (2002)"),
    Reference("stored noisy weights", "Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017)"),
    Reference("stored noisy weights", "Andrieu & Roberts, Ann. Stat. 37, 697 (2009)"),
    Reference("how many replicates", "Doucet et al., Biometrika 102, 295 (2015)"),
    Reference("signed weights", "Lyne et al., Stat. Sci. 30, 443 (2015)"),
    Reference("addressed random numbers", "Salmon, Moraes, Dror & Shaw, SC '11, 16 (2011)"),
    Reference("circuits that normalise", "Rawat, Heeger & Martiniani, NeurIPS 37, 14712 (2024)"),
    Reference("fixed points", "Deuflhard, Newton Methods for Nonlinear Problems, Springer (2004)"),
    Reference("contracting assemblies", "Kozachkov, Ennis & Slotine, NeurIPS 35 (2022)"),
    Reference(
        "labels by GFN2-xTB",
        "Bannwarth, Ehlert & Grimme, J. Chem. Theory Comput. 15, 1652 (2019)",
    ),
    Reference("labels by PySCF", "Sun et al., J. Chem. Phys. 153, 024109 (2020)"),
    Reference("labels by OpenMM", "Eastman et al., J. Phys. Chem. B 128, 109 (2024)"),
    Reference("Langevin dynamics", "Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34"),
    Reference("multiple time steps", "Tuckerman, Berne & Martyna, J. Chem. Phys. 97, 1990 (1992)"),
    Reference("error bars by blocking", "Flyvbjerg & Petersen, J. Chem. Phys. 91, 461 (1989)"),
    Reference("fits of force fields", "Marquardt, J. Soc. Indust. Appl. Math. 11, 431 (1963)"),
    Reference("survival in dynamics", "Fu et al., Trans. Mach. Learn. Res. (2023)"),
    Reference("ASE", "Larsen et al., J. Phys.: Condens. Matter 29, 273002 (2017)"),
)


@reported
def cite(as_json: options.AsJson = False, traceback: options.Traceback = False) -> None:
    """List the papers behind the methods, to cite what you use."""
    if as_json:
        print_json([dataclasses.asdict(reference) for reference in REFERENCES])
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    table.add_column("source")
    before = ""
    for reference in REFERENCES:
        method = "" if reference.method == before else reference.method
        before = reference.method
        table.add_row(method, Text(reference.source))
    data().print(table)
