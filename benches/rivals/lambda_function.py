"""A FastAPI application in this folder (APPLICATION) as a Lambda function: `python -m awslambdaric lambda_function.handler`.

Mangum answers only after the application has finished, including its background tasks.
"""

import importlib
import os

from mangum import Mangum

handler = Mangum(importlib.import_module(os.environ["APPLICATION"]).app, lifespan="off")
