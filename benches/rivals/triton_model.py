"""A model for Triton's Python backend. Triton runs a copy of this file per prediction, which is the model's name; the model's
configuration has the folder of credit_risk.py.
"""

import json
import sys

import numpy
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, arguments):
        configuration = json.loads(arguments["model_config"])
        sys.path.insert(0, configuration["parameters"]["modules"]["string_value"])
        from credit_risk import CreditRisk

        self.model = CreditRisk()
        self.prediction = arguments["model_name"]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        application = {tensor.name(): tensor.as_numpy()[0] for tensor in request.inputs()}
        application = {name: value.decode() if isinstance(value, bytes) else value for name, value in application.items()}
        answer = self.model.predict(self.prediction, application)
        kind = numpy.object_ if isinstance(answer, str) else numpy.float32
        return triton.InferenceResponse([triton.Tensor(self.prediction, numpy.array([answer], kind))])
