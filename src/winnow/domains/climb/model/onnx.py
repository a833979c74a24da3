"""The generator's network, for an ONNX file."""

from pathlib import Path

import torch
from torch import Tensor

from winnow.domains.climb import definitions
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import ANY_GRADE, BOARDS, START
from winnow.learn.onnx import ForwardPass
from winnow.learn.trained import load_trained

USE = f"""\
A token is a hold, row by row from A1 = 0 to K18 = {definitions.CELLS - 1}; {definitions.CELLS} ends a route, and \
{START} begins it. `previous` holds {START} and the holds so far, bottom up; `conditions` the indices of board \
({", ".join(BOARDS)}), angle ({", ".join(map(str, definitions.ANGLES))}) and grade ({definitions.GRADES[0]} = 0, …; \
{ANY_GRADE} for any). `log_odds` are of the token that comes after each place, -inf where none can; the last place's \
are those of the next hold. What `settings.json` says of reach, decoding and limits is for the program that draws."""


def forward_pass(folder: Path) -> ForwardPass:
    """The network in a model's folder."""
    network = load_trained(RouteTransformer, "climb", folder=folder)
    longest = network.position.num_embeddings - 1

    def draw(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
        holds = min(2 + rows, longest)
        drawn = torch.rand(rows, definitions.CELLS, generator=generator).topk(holds).indices.sort(dim=1).values
        highest = (len(BOARDS), len(definitions.ANGLES), ANY_GRADE + 1)
        conditions = [torch.randint(high, (rows,), generator=generator) for high in highest]
        begun = torch.cat([torch.full((rows, 1), START), drawn], dim=1)
        return {"previous": begun, "conditions": torch.stack(conditions, dim=1)}

    axes = {"previous": ("routes", "holds"), "conditions": ("routes",)}
    return ForwardPass(network, axes, ("log_odds",), draw, USE)
