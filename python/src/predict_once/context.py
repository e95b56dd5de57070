"""The state that all lowerings of a model share: the graph, the fields and their encoding."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .columns.layout import Layout, Request, Requests
from .columns.symbols import AnyColumn, Column, variable_of
from .columns.variables import Variable
from .columns.vectorizer import Vectorizer
from .graph import Array, Graph


@dataclass
class Context:
    """One lowering of a model. The first of two finds out which columns the model reads, the second uses the layout for them."""

    variables: list[Variable]
    layout: Layout
    requests: Requests = field(default_factory=Requests)
    thresholds: dict[int, list[Array]] = field(default_factory=dict)
    """The numbers at which the model's trees branch, by variable."""
    float32: bool = False
    """Whether the library itself calculates in float32."""
    rounding: float = 0.0
    """The rounding error of the library's own answers, where it is large."""
    readers: dict[int, dict[str, None]] = field(default_factory=dict)
    """The steps that read each variable, for messages."""
    curved: set[int] = field(default_factory=set)
    """The variables whose powers the model reads, which may become too large for the library."""
    explain: bool = False
    """Whether the graph holds what contributions need."""
    exact_shares: bool = False
    """Whether forests add each class's shares as scikit-learn does, to the last bit, with each tree once for each class."""
    shares: bool = False
    """Whether there is a forest of classes, whose sums may be equal but for the last bit."""
    lowered: list[str] = field(default_factory=list)
    """The lowerings of the estimator and of those that it consists of."""
    vectorized: dict[Column, Vectorizer] = field(default_factory=dict)
    """The vectorizers of texts, by the first of their columns."""
    sparse: bool = False
    """Whether the estimator that is being lowered reads a sparse matrix."""
    cautions: dict[str, None] = field(default_factory=dict)
    """What the graph cannot reproduce for all inputs, for messages."""

    def __post_init__(self) -> None:
        self.graph = Graph(self.layout.wide)

    def read_by(self, reader: str, columns: Sequence[AnyColumn]) -> None:
        """Records which step reads these columns."""
        for column in columns:
            if (variable := variable_of(column)) is not None:
                self.readers.setdefault(variable, {})[reader] = None

    def request(self, columns: Sequence[Column], *, dense: bool, missing: bool = False, narrow: bool = False) -> None:
        """Records that the model reads these columns.

        `dense` if it calculates with them, `missing` if it takes missing values, `narrow` if it reads them as float32.
        """
        for column in columns:
            self.requests.add(column, Request(column, dense, missing, narrow))
