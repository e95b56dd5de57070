from bookings import fitted

model, X = fitted()

import predict_once

predict_once.export(model, X, "model", target="cancelled", unknown="refuse")
