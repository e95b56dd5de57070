"""From a fitted estimator to operators: one module for each family.

* registry.py: finds the lowering of an estimator, and follows Pipelines
* linear.py, neighbours.py, bayes.py, svm.py, mlp.py: models that calculate with their features
* forests.py, boosting.py, lightgbm.py, xgboost.py: trees
* averages.py, adaboost.py, stacking.py, calibration.py: models made of models
"""
