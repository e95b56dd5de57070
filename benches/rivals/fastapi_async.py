"""FastAPI tuned for speed while still validating and documenting: `async` endpoints and redis.asyncio with the hiredis parser. It caches
response bodies, so a hit is neither validated nor serialised again.
"""

import os

from application import CreditApplication, Decision, Probability, RiskCategory
from credit_risk import CreditRisk
from fastapi import FastAPI, Response
from redis.asyncio import Redis
from starlette.background import BackgroundTask

app = FastAPI()
model = CreditRisk()
cache = Redis.from_url(os.environ["REDIS_URL"])


async def store(key, body):
    await cache.set(key, body)


async def predict(answer, prediction, application):
    key = f"{prediction}:{application.model_dump_json()}"
    stored = await cache.get(key)
    if stored is not None:
        return Response(stored, media_type="application/json")
    # Running the model here is faster than handing it to a thread.
    body = answer(**{prediction: model.predict(prediction, application.model_dump())}).model_dump_json()
    return Response(body, media_type="application/json", background=BackgroundTask(store, key, body))


@app.post("/decisions", response_model=Decision)
async def decisions(application: CreditApplication) -> Response:
    return await predict(Decision, "decision", application)


@app.post("/probabilities", response_model=Probability)
async def probabilities(application: CreditApplication) -> Response:
    return await predict(Probability, "probability", application)


@app.post("/risk_categories", response_model=RiskCategory)
async def risk_categories(application: CreditApplication) -> Response:
    return await predict(RiskCategory, "risk_category", application)
