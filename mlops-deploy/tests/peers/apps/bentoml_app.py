"""A model server on BentoML that answers with its version."""

import math
import os

import bentoml

VERSION = os.environ["APP_VERSION"]
WEIGHTS, BIAS = (-0.2, -0.6, 0.7, 1.8), -2.0


@bentoml.service(workers=1)
class Iris:
    @bentoml.api
    async def predict(self, row: list[float]) -> dict[str, float | str]:
        score = BIAS + sum(w * x for w, x in zip(WEIGHTS, row, strict=True))
        return {"probability": 1 / (1 + math.exp(-score)), "version": VERSION}
