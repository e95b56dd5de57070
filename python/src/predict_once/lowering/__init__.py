"""Lowers a fitted estimator to operators, with one module for each family.

* registry.py: finds the lowering of an estimator, and follows Pipelines
* linear.py, neighbours.py, bayes.py, svm.py, mlp.py: models that calculate with their features
* platt.py: the probabilities of support vector machines
* forests.py, boosting.py, lightgbm.py, xgboost.py, catboost.py: trees
* averages.py, adaboost.py, stacking.py: models made of models
* calibration.py, isotonic.py: calibrated models
* shares.py: one-versus-rest probabilities
"""
