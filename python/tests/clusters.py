"""The estimators without a target that the tests fit: clusters, mixtures and detectors of outliers."""

from sklearn.cluster import AffinityPropagation, Birch, BisectingKMeans, KMeans, MeanShift, MiniBatchKMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import SGDOneClassSVM
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

UNSUPERVISED = {
    "KMeans": KMeans(3, n_init=1, random_state=0),
    "KMeans, scaled": make_pipeline(StandardScaler(), KMeans(3, n_init=1, random_state=0)),
    "MiniBatchKMeans": MiniBatchKMeans(3, n_init=1, random_state=0),
    "BisectingKMeans": BisectingKMeans(4, random_state=0),
    "MeanShift": MeanShift(bandwidth=1.5),
    "AffinityPropagation": AffinityPropagation(random_state=0),
    "Birch": Birch(),
    "GaussianMixture": GaussianMixture(3, random_state=0),
    "GaussianMixture, tied": GaussianMixture(2, covariance_type="tied", random_state=0),
    "GaussianMixture, diag": GaussianMixture(2, covariance_type="diag", random_state=0),
    "GaussianMixture, spherical": GaussianMixture(2, covariance_type="spherical", random_state=0),
    "BayesianGaussianMixture": BayesianGaussianMixture(n_components=3, max_iter=200, random_state=0),
    "IsolationForest": IsolationForest(n_estimators=20, random_state=0),
    "IsolationForest, scaled": make_pipeline(
        StandardScaler(), IsolationForest(n_estimators=20, max_features=0.6, random_state=0)
    ),
    "OneClassSVM": OneClassSVM(),
    "SGDOneClassSVM": make_pipeline(StandardScaler(), SGDOneClassSVM(random_state=0)),
    "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
    "EllipticEnvelope": EllipticEnvelope(random_state=0),
}
