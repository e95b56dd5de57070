from bookings import fitted

model, X = fitted()

import mlflow
from mlflow.models import infer_signature


class Cancellation(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model.predict_proba(model_input.astype(X.dtypes))[:, 1]


texts = X.astype({name: str for name in X.select_dtypes("category")})
mlflow.pyfunc.save_model("model", python_model=Cancellation(), signature=infer_signature(texts, model.predict_proba(X)[:, 1]))
