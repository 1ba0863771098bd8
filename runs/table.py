"""Print the table at the end of `shipped.sh`: what was made, how good it is, how long it took.

    python runs/table.py FOLDER

The folder has ``reports/NAME/metrics.json`` of ``mien evaluate`` and ``done/STAGE``, the minutes.
"""

import json
import sys
from pathlib import Path


def percent(value: float | None) -> str:
    """A share in [0, 1] as a percentage, or a dash."""
    return "-" if value is None else f"{100 * value:.1f}"


def main(folder: Path) -> None:
    """Print minutes by stage, then scores by model, on stdout."""
    print(f"\n{'stage':<28}{'minutes':>8}")
    stages = sorted((path for path in (folder / "done").iterdir()), key=lambda p: p.stat().st_mtime)
    total = 0.0
    for stage in stages:
        minutes = float(stage.read_text())
        total += minutes
        print(f"{stage.name:<28}{minutes:>8.1f}")
    print(f"{'all':<28}{total:>8.1f}")
    columns = ("rows", "all %", "95 %", "no duplicates %", "ECE %", "MB")
    print(f"\n{'model, on PublicTest':<28}" + "".join(f"{name:>16}" for name in columns))
    for report in sorted((folder / "reports").iterdir()):
        values = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
        low, high = values["accuracy_ci95"]
        model = folder / f"{report.name.removesuffix('-mirror')}.onnx"
        cells = (
            f"{values['n']:,}",
            percent(values["accuracy"]),
            f"{percent(low)} to {percent(high)}",
            percent(values["accuracy_unseen"]),
            percent(values["ece"]),
            f"{model.stat().st_size / 1e6:.2f}",
        )
        print(f"{report.name:<28}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
