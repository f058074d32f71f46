"""What NannyML says of each case, method by method and chunk by chunk."""
import json
import math
import sys
import warnings

warnings.filterwarnings("ignore")

import nannyml as nml
import pandas as pd

CONTINUOUS = ["jensen_shannon", "kolmogorov_smirnov", "wasserstein", "hellinger"]
CATEGORICAL = ["jensen_shannon", "chi2", "hellinger", "l_infinity"]


def series(case, side):
    kind = case["kinds"][side]
    if kind == "float":
        return pd.Series(case[side], dtype="float64")
    if kind == "string":
        return pd.Series(case[side], dtype="object")
    return pd.Series(case[side])


def plain(value):
    return None if value is None or math.isnan(value) else float(value)


def found(case):
    r, c = (pd.DataFrame({"x": series(case, side)}) for side in ("reference", "current"))
    calculator = nml.UnivariateDriftCalculator(
        column_names=["x"], continuous_methods=CONTINUOUS, categorical_methods=CATEGORICAL
    )
    calculator.fit(r)
    table = calculator.calculate(c).filter(period="analysis").to_df(multilevel=False)
    methods = CONTINUOUS if calculator.continuous_column_names == ["x"] else CATEGORICAL
    return {
        "from": table["chunk_start_index"].tolist(),
        "methods": {
            method: {
                "threshold": plain(table[f"x_{method}_upper_threshold"][0]),
                "values": [plain(v) for v in table[f"x_{method}_value"]],
                "alerts": [bool(v) for v in table[f"x_{method}_alert"]],
            }
            for method in methods
        },
    }


cases = json.load(open(sys.argv[1]))
json.dump([found(case) for case in cases], open(sys.argv[2], "w"))
