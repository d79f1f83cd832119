"""`python -m benchmarks [gpt2 | bert | mamba | check …]`: prints one table per benchmark."""

from __future__ import annotations

import argparse

from benchmarks import check, forward, recurrent

BENCHMARKS = {"check": check.run, "bert": forward.bert, "gpt2": forward.gpt2, "mamba": recurrent.mamba}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="which; all if none is named")
    parser.add_argument("--repeats", type=int, default=15, help="paired runs of each case")
    parser.add_argument("--threads", type=int, default=1, help="threads torch may use")
    given = parser.parse_args()
    for name in given.names or list(BENCHMARKS):
        BENCHMARKS[name](given.repeats, given.threads)


if __name__ == "__main__":
    main()
