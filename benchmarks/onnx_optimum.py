"""Runs in the environment of optimum: HUB OUT TASK. Exports a checkpoint and optimizes it as O2 says."""

import sys
from pathlib import Path


def main(hub: str, out: str, task: str) -> None:
    from optimum.exporters.onnx import main_export
    from optimum.onnxruntime import ORTOptimizer
    from optimum.onnxruntime.configuration import AutoOptimizationConfig

    plain = Path(out).with_name("plain")
    main_export(hub, output=plain, task=task, do_validation=False, no_post_process=True)
    names = [path.name for path in plain.glob("*.onnx")]
    ORTOptimizer.from_pretrained(plain, file_names=names).optimize(
        save_dir=out, optimization_config=AutoOptimizationConfig.O2(), file_suffix=""
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
