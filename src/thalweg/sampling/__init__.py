"""Sampling: what a system does at a temperature, and anything whose weight is only known noisily.

A tour:

- Targets: `ExactWeight`, `NoisyWeight`, `NoisyEnergy`, `Oracle` wrap a function of a random key and
  a point. The type says what is unbiased, and so what is sampled: an average *weight* is not the
  weight at an average *energy*. Adapters make them of minibatches (`minibatch_energy`), committees
  (`committee_energy`, `committee_weight`), stochastic descents (`basin_oracle`), inner runs
  (`inner_weight`), host functions (`host_weight`) and tables of repeats (`Replicates`).
- `sample` runs a thousand chains in one compiled loop and returns `Samples`: draws, error bars from
  the scatter between chains, effective samples for each evaluation, and `flags` where they should
  not be trusted. `advise` chooses the kernel, and says why.
- Kernels, legal for one kind of target each, exact unless they say otherwise: `Metropolis`,
  `Blackjax`; `StoredWeight` (stochastic-weight Monte Carlo, pseudo-marginal), `Cloud`,
  `CorrelatedWeight`, `BlockWeight`, `DelayedAcceptance`, `Exchange`,
  `ParameterExchange`; `Penalty`; `AcceptIfPass`,
  `TwoCoin`; and, approximate, `MinibatchBarker`, `Langevin`.
- `bias_test` compares chains with an enumerated law; `double_well`, `skirt_oracle` and others are
  targets with known answers.
- `parallel_tempering`: many temperatures of an exact energy, for `thalweg.thermo.reweight`;
  `Container` keeps the particles of a cluster together.
- `Campaign`: laboratories and screens; `thalweg.sampling.campaign` has its conditions, kernels and
  records.
- `basin_volume`: how big a state is, when only a yes/no oracle can tell what belongs to it;
  `thalweg.sampling.volume` opens with a tour of memberships, regions and the ladders behind it.

```python
noisy = NoisyWeight(lambda key, x: -x**4 + jax.random.normal(key))   # log of the weight
samples = sample(noisy, chains=1000, steps=4000)                     # kernel="auto"
print(samples)
```
"""

from ._adapters import Replicates as Replicates
from ._adapters import basin_oracle as basin_oracle
from ._adapters import committee_energy as committee_energy
from ._adapters import committee_weight as committee_weight
from ._adapters import host_weight as host_weight
from ._adapters import inner_weight as inner_weight
from ._adapters import minibatch_energy as minibatch_energy
from ._advice import Advice as Advice
from ._advice import advise as advise
from ._advice import best_replicates as best_replicates
from ._advice import noise_efficiency as noise_efficiency
from ._chains import SampleProgress as SampleProgress
from ._chains import sample as sample
from ._checkpoint import write_whole as write_whole
from ._container import Container as Container
from ._demonstrations import DEMONSTRATIONS as DEMONSTRATIONS
from ._demonstrations import Demonstration as Demonstration
from ._demonstrations import double_well as double_well
from ._demonstrations import gaussian_oracle as gaussian_oracle
from ._demonstrations import skirt_oracle as skirt_oracle
from ._demonstrations import transition_family as transition_family
from ._demonstrations import transition_state as transition_state
from ._diagnostics import BiasTest as BiasTest
from ._diagnostics import StoredCheck as StoredCheck
from ._diagnostics import bias_test as bias_test
from ._diagnostics import pareto_k as pareto_k
from ._diagnostics import split_rhat as split_rhat
from ._mbar import bennett as bennett
from ._mbar import mbar_free_energies as mbar_free_energies
from ._samples import Flag as Flag
from ._samples import Samples as Samples
from ._skirt import SkirtOracle as SkirtOracle
from ._support import AbstractSupport as AbstractSupport
from ._support import Box as Box
from ._targets import ExactWeight as ExactWeight
from ._targets import NoisyEnergy as NoisyEnergy
from ._targets import NoisyWeight as NoisyWeight
from ._targets import Oracle as Oracle
from ._targets import boltzmann as boltzmann
from ._targets import check_target as check_target
from ._tempering import TemperingSamples as TemperingSamples
from ._tempering import parallel_tempering as parallel_tempering
from ._warmup import WarmUp as WarmUp
from .campaign import Campaign as Campaign
from .kernels import AbstractKernel as AbstractKernel
from .kernels import AbstractProposal as AbstractProposal
from .kernels import AcceptIfPass as AcceptIfPass
from .kernels import BallMove as BallMove
from .kernels import Blackjax as Blackjax
from .kernels import BlockWeight as BlockWeight
from .kernels import Cloud as Cloud
from .kernels import CorrelatedWeight as CorrelatedWeight
from .kernels import DelayedAcceptance as DelayedAcceptance
from .kernels import Exchange as Exchange
from .kernels import Info as Info
from .kernels import Langevin as Langevin
from .kernels import Metropolis as Metropolis
from .kernels import MinibatchBarker as MinibatchBarker
from .kernels import NormalMove as NormalMove
from .kernels import ParameterExchange as ParameterExchange
from .kernels import Penalty as Penalty
from .kernels import RingMove as RingMove
from .kernels import StateMove as StateMove
from .kernels import StoredWeight as StoredWeight
from .kernels import SupportMove as SupportMove
from .kernels import TwoCoin as TwoCoin
from .kernels import UniformMove as UniformMove
from .kernels import Walk as Walk
from .kernels import kernel_names as kernel_names
from .volume import AttractionMembership as AttractionMembership
from .volume import BasinMembership as BasinMembership
from .volume import BasinVolume as BasinVolume
from .volume import BoxRegion as BoxRegion
from .volume import FlowMembership as FlowMembership
from .volume import FunctionOracle as FunctionOracle
from .volume import HostOracle as HostOracle
from .volume import NoisyDescent as NoisyDescent
from .volume import SteepestDescent as SteepestDescent
from .volume import basin_volume as basin_volume
from .volume import box_shares as box_shares
from .volume import softness_ladder as softness_ladder
