"""A layout: how many devices share what."""

from __future__ import annotations

from fractions import Fraction

from msgspec import Struct

from archspec.analysis.sharding.errors import LayoutError
from archspec.errors import Collector, Diagnostic


class Layout(Struct, frozen=True):
    """`dp` replicas of `pp` stages; `tp` devices share weights, `cp` a sequence: dp*tp*pp*cp devices.

    `ep`: experts are spread over so many of the dp*cp devices that hold the same dense weights. `zero`: what
    dp spreads, 1 optimizer states, 2 gradients too, 3 weights too. `sp`: the devices of tp spread tokens
    where they share no weights. `microbatches` of one step go through the pipeline one after another; each
    stage has `interleave` chunks of layers. Raises LayoutError: G006 for a number below 1, G007 for another
    `zero`, G008 where `ep` does not divide dp*cp, G009 for an interleaving that no schedule has.
    """

    dp: int = 1
    tp: int = 1
    pp: int = 1
    cp: int = 1
    ep: int = 1
    zero: int = 0
    sp: bool = False
    microbatches: int = 1
    interleave: int = 1

    def __post_init__(self) -> None:
        found = Collector()
        for name in ("dp", "tp", "pp", "cp", "ep", "microbatches", "interleave"):
            if getattr(self, name) < 1:
                found.add("G006", f"{name} is {getattr(self, name)}, not 1 or more")
        if self.zero not in range(4):
            found.add("G007", f"zero is {self.zero}, not 0, 1, 2 or 3")
        found.raise_if_any(LayoutError)
        if self.data % self.ep:
            found.add("G008", f"ep {self.ep} does not divide the {self.data} devices of dp * cp")
        if self.interleave > 1 and (self.pp == 1 or self.microbatches % self.pp):
            problem = f"interleave {self.interleave} needs pp above 1 and microbatches in multiples of pp"
            found.add("G009", f"{problem}, not pp {self.pp} and {self.microbatches}")
        found.raise_if_any(LayoutError)

    @property
    def gpus(self) -> int:
        return self.dp * self.tp * self.pp * self.cp

    @property
    def data(self) -> int:
        """Devices with the same dense weights: their gradients are summed."""
        return self.dp * self.cp

    @property
    def expert_data(self) -> int:
        """Devices with the same experts."""
        return self.data // self.ep

    @property
    def bubble(self) -> Fraction:
        """Idle time over ideal time: (p - 1) / (v m) (Narayanan et al. 2021, arXiv:2104.04473, 2.2)."""
        return Fraction(self.pp - 1, self.interleave * self.microbatches)

    def in_flight(self, stage: int = 0) -> int:
        """Chunks whose activations a stage holds at once, each of 1 / (pp * interleave) of the layers.

        1F1B: pp - stage microbatches. Interleaved: 2 (pp - stage - 1) + (v - 1) pp + 1 chunks, which on the
        first stage are all layers times 1 + (pp - 1) / (pp v) (Korthikanti et al. 2022, section 4.2.3).
        """
        v, ahead = self.interleave, self.pp - stage
        most = ahead if v == 1 else 2 * (ahead - 1) + (v - 1) * self.pp + 1
        return min(most, self.microbatches * v)

    def require(self, gpus: int) -> None:
        """Raises LayoutError G014 where the layout is not for this number of devices."""
        if self.gpus != gpus:
            shown = f"dp {self.dp} * tp {self.tp} * pp {self.pp} * cp {self.cp} = {self.gpus}"
            raise LayoutError(Diagnostic("G014", f"{shown}, not {gpus} devices"))
