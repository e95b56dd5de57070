from bookings import fitted

model, X = fitted()

import bentoml
import pandas as pd


@bentoml.service
class Cancellation:
    @bentoml.api
    def predict(self, lead_time: int, adr: float, market_segment: str, country: str) -> float:
        row = dict(lead_time=lead_time, adr=adr, market_segment=market_segment, country=country)
        return model.predict_proba(pd.DataFrame([row]).astype(X.dtypes))[0, 1]
