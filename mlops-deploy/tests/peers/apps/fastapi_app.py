"""A model server on FastAPI that answers with its version."""

import math
import os

from fastapi import FastAPI
from pydantic import BaseModel

VERSION = os.environ["APP_VERSION"]
WEIGHTS, BIAS = (-0.2, -0.6, 0.7, 1.8), -2.0

app = FastAPI()


class Flower(BaseModel):
    row: list[float]


@app.get("/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(flower: Flower) -> dict[str, float | str]:
    score = BIAS + sum(w * x for w, x in zip(WEIGHTS, flower.row, strict=True))
    return {"probability": 1 / (1 + math.exp(-score)), "version": VERSION}
