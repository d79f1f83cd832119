"""What is alive when a forward pass needs most memory."""

from __future__ import annotations

from collections import Counter

from archspec.reports.account import Account
from archspec.reports.table import Row, Table

_MOST = 12  # rows before all others are one


def alive(account: Account) -> Table:
    """The tensors that the peak of inference consists of, by the module and the operation that made them.

    Bytes of storages, parameters, buffers and inputs apart. Raises what `Account.inference` raises.
    """
    found = account.alive_at_peak
    sizes, counts = Counter[str](), Counter[str]()
    for one in found:
        maker = f"{one.place or 'model'}: {one.operation}"
        sizes[maker] += one.nbytes
        counts[maker] += 1
    most = sizes.most_common(_MOST)
    rows = [Row(maker, (size,), "B", _times(counts[maker])) for maker, size in most]
    rest = sum(sizes.values()) - sum(size for _, size in most)
    rows += [Row("all others", (rest,), "B")] if rest else []
    rows.append(Row("together", (sum(sizes.values()),), "B", f"at {account.inference.peak_at}"))
    return Table("Alive at the peak of inference, by what made it", tuple(rows))


def _times(count: int) -> str:
    return f"{count} of them" if count > 1 else ""
