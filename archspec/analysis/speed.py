"""How fast devices that train together compute and send: shares of the figures of a data sheet.

Two shares are fitted, once, on the eight iteration times of Korthikanti et al. 2022 (arXiv:2205.05198, table
5), by least squares of the relative error; `tests/analysis/test_step_time.py` fits them again. The others are
those of Calculon (Isaev et al. 2023, doi:10.1145/3581784.3607102; github.com/calculon-ai/calculon,
systems/a100_80g.json), and are not fitted.
"""

from __future__ import annotations

from msgspec import Struct

from archspec.analysis.device import Device
from archspec.analysis.ranges import positive
from archspec.analysis.sharding.layout import Layout

PRODUCTS = 0.79  # of the dense peak, that matrix products reach; fitted
LINKS = 0.51  # of a link inside a node, that collectives reach; fitted
MEMORY = 0.9  # of the memory bandwidth; Calculon, for some 10 MB at once
NETWORKS = 0.9  # of a network between nodes; Calculon
LATENCY = 1e-5  # seconds of one collective; Calculon
# One port of 200 Gbit/s for each device (Narayanan et al. 2021, arXiv:2104.04473, section 5: DGX A100).
NETWORK = 25e9


class Speed(Struct, frozen=True):
    """FLOP/s of products and bytes/s of memory, of the link in a node, of the network for each device.

    All are those reached. `per_node` devices are joined by the link.
    """

    products: float
    memory: float
    link: float
    network: float
    per_node: int
    latency: float = LATENCY

    @classmethod
    def of(
        cls, device: Device, dtype: str = "bf16", per_node: int | None = None, network: float = NETWORK
    ) -> Speed:
        """`network`: bytes/s in one direction, for each device.

        Raises ArchspecError D003 where the device lacks a figure, D004 for what is no size.
        """
        positive("the network's bytes/s", network)
        inside = device.node_size() if per_node is None else per_node
        positive("devices of a node", inside)
        return cls(
            device.peak(dtype) * PRODUCTS,
            device.bandwidth() * MEMORY,
            device.link_bandwidth() * LINKS if inside > 1 else network * NETWORKS,
            network * NETWORKS,
            inside,
        )

    def between(self, layout: Layout, over: str, devices: int) -> float:
        """Bytes/s of each device in a collective of one axis of a layout.

        Neighbours share tp, then cp, then replicas, then stages. Where a group leaves its node, each of its
        devices there has its own port, and rings use all of them.
        """
        strides = {"cp": layout.tp, "ep": layout.tp, "dp": layout.tp, "edp": layout.tp * layout.ep}
        stride = {**strides, "pp": layout.gpus // layout.pp, "ends": layout.gpus // layout.pp}.get(over, 1)
        if stride * devices <= self.per_node:
            return self.link
        together = max(1, self.per_node // stride)
        return min(self.link, self.network * together)
