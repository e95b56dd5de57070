"""Lowers a fitted estimator to operators, with one module for each family.

* registry.py: finds the lowering of an estimator, and follows Pipelines
* linear.py, neighbours.py, bayes.py, quadratic.py, svm.py, mlp.py, kernel_models.py, gaussian_process.py, isotonic_regression.py:
  models that calculate with their features
* platt.py: the probabilities of support vector machines
* forests.py, boosting.py, lightgbm.py, xgboost.py, catboost.py: trees
* centroids.py, mixtures.py: clusters; isolation.py, outliers.py: outliers
* averages.py, adaboost.py, stacking.py, multiclass.py, multioutput.py, fitted.py: models made of models
* calibration.py, isotonic.py: calibrated models; thresholds.py, targets.py: other classes, and other scales of the target
* shares.py: one-versus-rest probabilities
"""
