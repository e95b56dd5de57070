"""What a model reads, in symbols: how each of its feature columns follows from the fields of a request.

* variables.py: the columns of the data frame, which become the fields
* symbols.py: a feature column as a function of one field
* layout.py: how each field is encoded as columns of the graph's input
* splits.py: a comparison of a feature becomes a comparison of the graph's input
* dense.py: feature columns as a matrix, for models that calculate with them
"""
