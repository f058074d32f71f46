"""What scouter says of each case. Its threshold lives in its server; SciPy gives the same point."""
import json
import sys

import pandas as pd
from scipy.stats import chi2
from scouter.drift import Drifter, PsiDriftConfig


def series(case, side):
    if case["kinds"][side] == "string":
        return pd.Series(case[side], dtype="object")
    return pd.Series(case[side], dtype="float64")


def found(case):
    r, c = (pd.DataFrame({"x": series(case, side)}) for side in ("reference", "current"))
    named = ["x"] if case["kinds"]["reference"] == "string" else None
    config = PsiDriftConfig(space="s", name="n", version="0.1.0", categorical_features=named)
    drifter = Drifter()
    profile = drifter.create_drift_profile(r, config)
    bins = len(profile.features["x"].bins)
    return {
        "psi": drifter.compute_drift(c, profile).features["x"],
        "bins": bins,
        "threshold": chi2.ppf(0.95, bins - 1) / len(c),
    }


cases = json.load(open(sys.argv[1]))
answers = [found(case) for case in cases]
json.dump(answers, open(sys.argv[2], "w"))
