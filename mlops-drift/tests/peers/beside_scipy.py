"""Reads pairs of samples from a file of JSON, prints what SciPy says of each as JSON.

Argument: the file. One object a pair: p-values of the tests, values of the distances.
"""

import json
import sys
import warnings

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon


def tests(old, new):
    return {
        "ks": stats.ks_2samp(old, new, method="exact").pvalue,
        "mann_whitney": stats.mannwhitneyu(new, old, use_continuity=False, method="asymptotic").pvalue,
        "mood": stats.mood(old, new).pvalue,
        "anderson_darling": stats.anderson_ksamp([old, new]).pvalue,
    }


def distances(old, new):
    edges = np.quantile(old, np.arange(1, 10) / 10)
    counts = [np.bincount(np.searchsorted(edges, side, side="left"), minlength=10) for side in (old, new)]
    # A bin without width is empty on both sides, and no part of a table.
    table = np.array(counts)
    table = table[:, table.sum(axis=0) > 0]
    return {
        "cramer_von_mises": stats.cramervonmises_2samp(old, new, method="asymptotic").statistic,
        "energy": stats.energy_distance(old, new),
        "wasserstein": stats.wasserstein_distance(old, new),
        "jensen_shannon": jensenshannon(counts[0], counts[1], 2),
        "kullback_leibler": stats.entropy(counts[0], counts[1]),
        "chi_square": stats.chi2_contingency(table, correction=False).statistic,
        "g": stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic,
    }


def main():
    # Beyond its tables Anderson-Darling's p-value is cut off, with a warning.
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as file:
        asked = json.load(file)
    of = {"tests": tests, "distances": distances}[asked["wanted"]]
    said = [of(np.array(old), np.array(new)) for old, new in asked["pairs"]]
    json.dump([{name: float(value) for name, value in one.items()} for one in said], sys.stdout)


main()
