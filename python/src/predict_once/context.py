"""What lowering a model needs everywhere: the graph, the fields, and how they are encoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .columns.layout import Layout, Requests
from .columns.symbols import Column
from .columns.variables import Variable
from .graph import Graph


@dataclass
class Context:
    """One lowering of a model. There are two: the first finds out what the model asks for, the second has the layout for it."""

    variables: list[Variable]
    layout: Layout
    graph: Graph = field(default_factory=Graph)
    requests: Requests = field(default_factory=Requests)

    def request(self, columns: Sequence[Column], *, dense: bool) -> None:
        """Notes that the model reads these columns."""
        for column in columns:
            self.requests.add(column, dense)
