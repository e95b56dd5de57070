"""The state that all lowerings of a model share: the graph, the fields and their encoding."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .columns.layout import Layout, Requests
from .columns.symbols import Column
from .columns.variables import Variable
from .graph import Graph


@dataclass
class Context:
    """One lowering of a model. The first of two finds out which columns the model reads, the second uses the layout for them."""

    variables: list[Variable]
    layout: Layout
    graph: Graph = field(default_factory=Graph)
    requests: Requests = field(default_factory=Requests)

    def request(self, columns: Sequence[Column], *, dense: bool) -> None:
        """Records that the model reads these columns; `dense` if it calculates with them."""
        for column in columns:
            self.requests.add(column, dense)
