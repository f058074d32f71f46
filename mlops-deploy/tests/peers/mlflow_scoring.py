"""MLflow's scoring client, and every form of a body of `/invocations`."""

import io

import numpy as np
import pandas as pd
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

import checks
import iris

BASE = f"http://{checks.ADDRESS}"
FRAME = pd.DataFrame(iris.ROWS, columns=iris.COLUMNS)

client = ScoringServerClient(*checks.ADDRESS.split(":"))


def same(predictions: list[dict]) -> None:
    iris.same([row["class"] for row in predictions], [row["probability"] for row in predictions])


def post(content: str = "application/json", **arguments) -> requests.Response:
    return requests.post(f"{BASE}/invocations", headers={"Content-Type": content}, **arguments)


def answered(response: requests.Response) -> None:
    assert response.status_code == 200, response.text
    same(response.json()["predictions"])


def check_ping_health_and_version():
    client.wait_server_ready(timeout=10)
    client.ping()
    assert client.get_version().count(".") == 2
    for path in ["ping", "health"]:
        assert requests.get(f"{BASE}/{path}").status_code == 200


def check_the_client_sends_a_data_frame():
    frame = client.invoke(FRAME).get_predictions()
    assert list(frame.columns) == ["class", "probability"]
    same(frame.to_dict(orient="records"))


def check_the_client_sends_an_array_with_params():
    same(client.invoke(iris.ROWS, params={"temperature": 1.0})["predictions"])


def check_dataframe_split():
    answered(post(json={"dataframe_split": FRAME.to_dict(orient="split")}))
    # By name, not by place; what the signature does not have is left out.
    other = FRAME[iris.COLUMNS[::-1]].assign(color="blue").to_dict(orient="split")
    answered(post(json={"dataframe_split": other}))


def check_dataframe_records():
    answered(post(json={"dataframe_records": FRAME.to_dict(orient="records")}))


def check_instances():
    answered(post(json={"instances": iris.ROWS.tolist()}))
    answered(post(json={"instances": FRAME.to_dict(orient="records")}))


def check_inputs():
    answered(post(json={"inputs": iris.ROWS.tolist()}))
    answered(post(json={"inputs": FRAME.to_dict(orient="list")}))


def check_csv():
    for content in ["text/csv", "text/csv; charset=utf-8"]:
        answered(post(content, data=FRAME.to_csv(index=False)))
    text = io.StringIO()
    FRAME.to_csv(text, index=False, lineterminator="\r\n")
    answered(post(f"text/csv", data=text.getvalue()))


def check_errors():
    checks.fails(lambda: client.invoke(FRAME.drop(columns="petal_width")), Exception, "error code 400", "petal_width")
    wide = np.hstack([iris.ROWS, iris.ROWS])
    checks.fails(lambda: client.invoke(wide), Exception, "error code 400")
    for content, body in [
        ("application/json", "{"),
        ("application/json", '{"rows": []}'),
        ("application/json", '{"dataframe_records": []}'),
        ("application/x-parquet", "PAR1"),
        ("text/csv", "sepal_length\nwide\n"),
    ]:
        response = post(content, data=body)
        assert response.status_code == 400 and response.json()["error"], response.text


checks.main()
