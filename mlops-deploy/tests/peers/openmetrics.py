"""The strict parser of prometheus-client reads /metrics."""

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import checks
import iris

BASE = f"http://{checks.ADDRESS}"


def infer(rows: list[list[float]], model: str = "iris") -> int:
    flat = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), 4], "datatype": "FP32", "data": flat}
    return requests.post(f"{BASE}/v2/models/{model}/infer", json={"inputs": [tensor]}).status_code


def samples() -> dict[str, list[tuple[dict[str, str], float]]]:
    response = requests.get(f"{BASE}/metrics")
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def check_nothing_asked_yet():
    assert "mlops_predictions_total" not in samples()


def check_every_name_with_its_labels_and_values():
    assert infer(iris.ROWS.tolist() * 20) == 200
    assert infer([[1.0, 2.0, 3.0, 4.0]], "roses") == 404
    found = samples()
    version = {"model": "iris", "version": "3"}
    counted = found["mlops_predictions_total"]
    assert (version | {"outcome": "ok"}, 1.0) in counted, counted
    other = {"model": "_other", "version": "_other", "outcome": "unknown_model"}
    assert (other, 1.0) in counted, counted
    within = found["mlops_prediction_latency_seconds_bucket"]
    assert {labels["le"] for labels, _ in within} >= {"0.2", "+Inf"}
    assert (version, 1.0) in found["mlops_prediction_latency_seconds_count"]
    feature = version | {"feature": "petal_length"}
    assert found["mlops_drift_detected"] == [(feature, 0.0)]
    by_method = feature | {"method": "mean_shift"}
    (labels, score), = found["mlops_drift_score"]
    assert labels == by_method and abs(score - abs(iris.ROWS[:, 2].mean() - 3.758) / 1.765) < 1e-6
    assert found["mlops_drift_threshold"] == [(by_method, 0.5)]
    (labels, at), = found["mlops_drift_report_timestamp_seconds"]
    assert labels == version and at > 1.7e9


checks.main()
