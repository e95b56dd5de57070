"""The model that all alternatives serve: a LightGBM classifier with categories, on made-up hotel bookings."""

import lightgbm
import numpy as np
import pandas as pd

COUNTRIES = ["AUT", "BEL", "BRA", "CHE", "DEU", "ESP", "FRA", "GBR", "IRL", "ITA", "NLD", "PRT", "SWE", "USA"]
SEGMENTS = ["Corporate", "Direct", "Groups", "Offline", "Online"]


def fitted() -> tuple[lightgbm.LGBMClassifier, pd.DataFrame]:
    """The model, whether a booking is cancelled, and its data."""
    random = np.random.default_rng(0)
    rows = 20_000
    X = pd.DataFrame(
        {
            "lead_time": random.integers(0, 400, rows),
            "adr": random.gamma(9, 11, rows).round(2),
            "market_segment": pd.Categorical(random.choice(SEGMENTS, rows), SEGMENTS),
            "country": pd.Categorical(random.choice(COUNTRIES, rows), COUNTRIES),
        }
    )
    score = X.lead_time / 150 + X.adr / 200 - 3 + 1.5 * (X.country == "PRT") + (X.market_segment == "Groups")
    y = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    model = lightgbm.LGBMClassifier(n_estimators=200, random_state=0, n_jobs=1, deterministic=True, verbose=-1)
    return model.fit(X, y), X


def booking(number: int) -> dict[str, object]:
    """A new booking for each number."""
    return {"lead_time": number % 400, "adr": 60 + number / 8, "market_segment": SEGMENTS[number % 5], "country": "PRT"}
