"""What Evidently says of each case: its preset's choice, and the tests that it takes by name."""
import json
import math
import sys
import warnings

warnings.filterwarnings("ignore")

import pandas as pd
from evidently import Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType as LegacyType
from evidently.presets import DataDriftPreset

BOTH = ["psi", "jensenshannon", "kl_div", "hellinger"]
NUMERIC = ["ks", "wasserstein", "ed", "mannw", "t_test", "anderson", "cramer_von_mises", "es"]
CATEGORICAL = ["chisquare", "g_test", "fisher_exact"]


def series(case, side):
    kind = case["kinds"][side]
    if kind == "float":
        return pd.Series(case[side], dtype="float64")
    if kind == "string":
        return pd.Series(case[side], dtype="object")
    return pd.Series(case[side])


def plain(value):
    return float(value) if math.isfinite(value) else "inf" if value > 0 else None


def named(frames, name, kind):
    r, c = (frame["x"].dropna() for frame in frames)
    try:
        result = get_stattest(r, c, kind, name)(r.copy(), c.copy(), kind, None)
    except ValueError:
        return None
    return {
        "score": plain(result.drift_score),
        "threshold": result.actual_threshold,
        "drifted": bool(result.drifted),
    }


def found(case):
    r, c = (pd.DataFrame({"x": series(case, side)}) for side in ("reference", "current"))
    datasets = Dataset.from_pandas(c), Dataset.from_pandas(r)
    kind = LegacyType(datasets[0].column("x").type.value)
    snapshot = Report([DataDriftPreset()]).run(*datasets).dict()
    value = next(m for m in snapshot["metrics"] if "ValueDrift" in m["metric_name"])
    count = next(m for m in snapshot["metrics"] if "DriftedColumnsCount" in m["metric_name"])
    numeric = kind == LegacyType.Numerical
    return {
        "kind": kind.value,
        "method": value["config"]["method"],
        "threshold": value["config"]["threshold"],
        "score": plain(value["value"]),
        "drifted": count["value"]["count"] == 1,
        "named": {n: named((r, c), n, kind) for n in BOTH + (NUMERIC if numeric else CATEGORICAL)},
    }


cases = json.load(open(sys.argv[1]))
json.dump([found(case) for case in cases], open(sys.argv[2], "w"))
