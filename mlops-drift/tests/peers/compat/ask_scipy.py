"""What SciPy says of each case."""
import json
import sys

import numpy as np
from scipy import stats


def numbers(case, side):
    values = np.array([np.nan if v is None else v for v in case[side]], dtype=float)
    return values[np.isfinite(values)]


def found(case):
    if case["kinds"]["reference"] in ("float", "int"):
        r, c = numbers(case, "reference"), numbers(case, "current")
        ks = stats.ks_2samp(r, c)
        return {
            "ks": ks.statistic,
            "p": ks.pvalue,
            "wasserstein": stats.wasserstein_distance(r, c),
            "energy": stats.energy_distance(r, c),
        }
    sides = [[v for v in case[side] if v is not None] for side in ("reference", "current")]
    names = sorted({v for side in sides for v in side})
    table = [[side.count(name) for name in names] for side in sides]
    test = stats.chi2_contingency(table)
    return {"chi2": test.statistic, "p": test.pvalue}


cases = json.load(open(sys.argv[1]))
json.dump([found(case) for case in cases], open(sys.argv[2], "w"))
