from bookings import fitted

model, X = fitted()

import vetiver
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


def typed(frame):
    return frame.astype(X.dtypes)


pipeline = make_pipeline(FunctionTransformer(typed), model)
app = vetiver.VetiverAPI(vetiver.VetiverModel(pipeline, "cancellation", prototype_data=X)).app
