"""An MLServer model: returns the prediction that it is named after, from the five fields as tensors."""

from credit_risk import CreditRisk
from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput
from prometheus_client import Counter


class CreditRiskModel(MLModel):
    async def load(self):
        self.model = CreditRisk()
        # MLServer does not count cache hits; the difference between answers and runs does.
        self.runs = Counter("model_runs", "number of model runs")
        return True

    async def predict(self, request):
        self.runs.inc()
        answer = self.model.predict(self.name, {tensor.name: tensor.data[0] for tensor in request.inputs})
        output = ResponseOutput(name=self.name, datatype="BYTES", shape=[1], data=[answer])
        return InferenceResponse(model_name=self.name, outputs=[output])
