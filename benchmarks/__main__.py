"""`python -m benchmarks [NAME …]` prints a table per benchmark; `python -m benchmarks library [MODEL …]`."""

from __future__ import annotations

import argparse

from benchmarks import attention, check, forward, library, recurrent, sized

BENCHMARKS = {
    "check": check.run,
    "bert": forward.bert,
    "gpt2": forward.gpt2,
    "mamba": recurrent.mamba,
    "attention": attention.run,
    "long": library.long,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = [*BENCHMARKS, "library", *sized.names()]
    parser.add_argument("names", nargs="*", choices=[[], *known], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--repeats", type=int, default=15, help="paired runs of each case")
    parser.add_argument("--threads", type=int, default=1, help="threads torch may use")
    given = parser.parse_args()
    first, *rest = given.names or [*BENCHMARKS, "library"]
    if first == "library":
        library.library(given.repeats, given.threads, rest)
        return
    for name in (first, *rest):
        run = BENCHMARKS.get(name, library.library)
        run(given.repeats, given.threads)


if __name__ == "__main__":
    main()
