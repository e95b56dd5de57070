"""A FastAPI application of this folder (APPLICATION) as a Lambda function: `python -m awslambdaric lambda_function.handler`.

Mangum answers once the application has done everything, background tasks included.
"""

import importlib
import os

from mangum import Mangum

handler = Mangum(importlib.import_module(os.environ["APPLICATION"]).app, lifespan="off")
