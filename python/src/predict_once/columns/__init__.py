"""Expresses each feature column of a model as a function of a request's fields.

* variables.py: the columns of the data frame, which become the fields
* symbols.py: a feature column as a function of one field
* layout.py: how each field is encoded as columns of the graph's input
* splits.py: comparisons of features as comparisons of the graph's input
* dense.py: feature columns as a matrix, for models that calculate with them
* stepwise.py: a feature computed by the graph step by step, where it goes through a function
* preprocessing.py, transformers.py: finds transformers, and handles scalers and encoders; functions.py, power.py, quantile.py,
  bins.py, normalizer.py, polynomial.py, splines.py, imputers.py, projections.py: one module for each family of others
* kernels.py, normal.py, tensors.py: what several of them need
"""
