"""Expresses each feature column of a model as a function of a request's fields.

* variables.py: the columns of the data frame, which become the fields
* symbols.py: a feature column as a function of one field
* layout.py: how each field is encoded as columns of the graph's input
* splits.py: comparisons of features as comparisons of the graph's input
* dense.py: feature columns as a matrix, for models that calculate with them
"""
