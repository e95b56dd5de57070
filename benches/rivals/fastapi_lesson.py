"""FastAPI as in the lesson that this project is based on: `def` endpoints, which run in threads, redis-py's synchronous client, and a
background task that stores the prediction after the response.
"""

import os

import redis
from application import CreditApplication, Decision, Probability, RiskCategory
from credit_risk import CreditRisk
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()
model = CreditRisk()
cache = redis.Redis.from_url(os.environ["REDIS_URL"])


def predict(answer, prediction, application, background):
    """`answer` is a type whose only field is the prediction. The value is cached as text."""
    key = f"{prediction}:{application!r}"
    stored = cache.get(key)
    if stored is not None:
        return answer(**{prediction: stored.decode()})
    value = model.predict(prediction, application.model_dump())
    background.add_task(cache.set, key, str(value))
    return answer(**{prediction: value})


@app.post("/decisions")
def decisions(application: CreditApplication, background: BackgroundTasks) -> Decision:
    return predict(Decision, "decision", application, background)


@app.post("/probabilities")
def probabilities(application: CreditApplication, background: BackgroundTasks) -> Probability:
    return predict(Probability, "probability", application, background)


@app.post("/risk_categories")
def risk_categories(application: CreditApplication, background: BackgroundTasks) -> RiskCategory:
    return predict(RiskCategory, "risk_category", application, background)
