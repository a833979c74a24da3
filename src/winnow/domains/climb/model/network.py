"""The generator's network: a decoder-only transformer over holds, conditioned on a board, an angle and a grade."""

import math

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import ANY_GRADE, BOARDS, END, START, VOCABULARY
from winnow.learn.bounds import Count, Heads, Layers, Members, Share


class CellTable(nn.Module):
    """Embeddings of cells: what is shared by all boards, by the row, by the column, and the board's own.

    Boards differ in their holds and are alike in their geometry, so that the small boards learn from the large one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        columns = len(definitions.COLUMNS)
        self.own = nn.Parameter(torch.empty(len(BOARDS), START + 1, width))
        self.shared = nn.Parameter(torch.empty(START + 1, width))
        self.row = nn.Parameter(torch.empty(definitions.ROWS + 1, width))
        self.column = nn.Parameter(torch.empty(columns + 1, width))
        for table in self.parameters():
            nn.init.normal_(table, std=0.02)
        cells = torch.arange(START + 1)
        is_cell = cells < definitions.CELLS  # END and START are in no row: they use the last entry
        self.register_buffer("rows", torch.where(is_cell, cells // columns, definitions.ROWS), persistent=False)
        self.register_buffer("columns", torch.where(is_cell, cells % columns, columns), persistent=False)
        self.rows: Tensor
        self.columns: Tensor

    def forward(self) -> Tensor:
        """(boards, tokens, width)."""
        table: Tensor = self.own + self.shared + self.row[self.rows] + self.column[self.columns]
        return table


def offsets() -> Tensor:
    """(tokens, tokens): how the first token's cell lies from the second's, as an index below `OFFSETS`.

    By rows up and columns across; the last index stands for all pairs that have none: a cell below the second, or a
    token that is no cell.
    """
    columns = len(definitions.COLUMNS)
    tokens = torch.arange(START + 1)
    up = (tokens // columns)[:, None] - tokens // columns
    across = (tokens % columns)[:, None] - tokens % columns + columns - 1
    is_cell = tokens < definitions.CELLS
    return torch.where(is_cell[:, None] & is_cell & (up >= 0), up * (2 * columns - 1) + across, OFFSETS - 1)


OFFSETS = definitions.ROWS * (2 * len(definitions.COLUMNS) - 1) + 1


class OffsetOdds(nn.Module):
    """Odds of candidates by how they lie from an earlier hold: a state times an embedding of the offset.

    The embedding is the same wherever on the board the hold is, so that a move learnt in one place is known in all.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.offset = nn.Embedding(OFFSETS, width)
        nn.init.normal_(self.offset.weight, std=0.02)

    def forward(self, states: Tensor, places: Tensor) -> Tensor:
        """Log-odds (batch, positions, VOCABULARY) for `places` of that shape: the candidates' offsets."""
        odds: Tensor = self.project(states) @ self.offset.weight.T
        return odds.gather(2, places)


class RouteTransformer(nn.Module, PyTorchModelHubMixin):
    """Predicts the next hold of a route, bottom up.

    Holds that do not come after the last one in the token order have probability 0, and so has the end of a route
    without holds. The output table is the input table (Press and Wolf 2017). The position counts holds.

    Where holds lie from one another is learnt once for the whole board: a candidate's odds depend on its offset from
    each of the last `reaches` holds, and with any a hold also carries how it was reached from the one before.

    With several `members` it is an ensemble: networks that differ in their first weights and their dropout, and whose
    probabilities are averaged (Lakshminarayanan et al. 2017). In training each gets its own part of the batch.
    """

    def __init__(
        self,
        *,
        width: int,
        layers: Layers,
        heads: Heads,
        dropout: Share,
        max_holds: Count,
        reaches: Layers,
        members: Members = 1,
    ) -> None:
        super().__init__()
        self.cells = CellTable(width)
        self.board = nn.Embedding(len(BOARDS), width)
        self.angle = nn.Embedding(len(definitions.ANGLES), width)
        self.grade = nn.Embedding(ANY_GRADE + 1, width)
        self.difficulty = nn.Linear(1, width, bias=False)
        nn.init.normal_(self.difficulty.weight, std=0.02)
        steps = torch.linspace(-1, 1, len(definitions.GRADES))
        self.register_buffer("steps", torch.cat([steps, torch.zeros(1)])[:, None], persistent=False)
        self.steps: Tensor
        """(grades, 1): the place on the scale, so that grades with few routes learn from their neighbours; 0 for any"""
        self.position = nn.Embedding(max_holds + 1, width)
        for embedding in (self.board, self.angle, self.grade, self.position):
            nn.init.normal_(embedding.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.reaches = nn.ModuleList(OffsetOdds(width) for _ in range(reaches))
        self.last_move = nn.Embedding(OFFSETS, width) if reaches else None
        if self.last_move is not None:
            nn.init.normal_(self.last_move.weight, std=0.02)
        self.register_buffer("offsets", offsets(), persistent=False)
        self.offsets: Tensor
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(len(BOARDS), VOCABULARY))
        self.register_buffer("known", torch.ones(len(BOARDS), definitions.CELLS, dtype=torch.bool))
        self.known: Tensor
        """(boards, cells): where the training routes show that there is a hold; generation uses no other"""
        self.others = nn.ModuleList(
            RouteTransformer(
                width=width, layers=layers, heads=heads, dropout=dropout, max_holds=max_holds, reaches=reaches
            )
            for _ in range(members - 1)
        )

    @property
    def members(self) -> int:
        return 1 + len(self.others)

    def forward(self, previous: Tensor, conditions: Tensor) -> Tensor:
        """Log-odds of what comes next, (batch, positions, VOCABULARY), -inf for the impossible.

        `previous` (batch, positions): START, then the holds so far. `conditions` (batch, 3): indices of board,
        angle and grade (or ANY_GRADE). In training the batch holds a part for each member, one after another, of equal
        sizes; else each member reads all of it, and the odds are those of the mean probability.
        """
        if not self.others:
            return self.own(previous, conditions)
        members = [self, *self.others]
        if self.training:
            parts = zip(members, previous.chunk(len(members)), conditions.chunk(len(members)), strict=True)
            return torch.cat([member.own(*part) for member, *part in parts])
        logs = torch.stack([member.own(previous, conditions).log_softmax(dim=2) for member in members])
        return logs.logsumexp(dim=0) - math.log(len(members))

    def own(self, previous: Tensor, conditions: Tensor) -> Tensor:
        """The log-odds of this network without the other members'."""
        board, angle, grade = conditions.unbind(dim=1)
        table = self.cells()
        condition = self.board(board) + self.angle(angle) + self.grade(grade) + self.difficulty(self.steps[grade])
        states = table[board[:, None], previous] + condition[:, None] + self.position.weight[: previous.shape[1]]
        if self.last_move is not None:
            states = states + self.last_move(self.offsets[previous, earlier(previous, 1)])
        states = self.dropout(states)
        causal = nn.Transformer.generate_square_subsequent_mask(previous.shape[1], device=previous.device)
        for block in self.blocks:
            states = block(states, src_mask=causal, is_causal=True)
        states = self.norm(states)
        logits = self.project(states) @ table[board, :VOCABULARY].transpose(1, 2) + self.bias[board][:, None]
        from_hold = self.offsets[:VOCABULARY].T
        for back, odds in enumerate(self.reaches):
            logits = logits + odds(states, from_hold[earlier(previous, back)])
        possible: Tensor = logits.masked_fill(impossible(previous), -torch.inf)
        return possible


def earlier(previous: Tensor, back: int) -> Tensor:
    """The token `back` places before each of (batch, positions), START before the first."""
    started = torch.full_like(previous[:, :back], START)
    return torch.cat([started, previous[:, : previous.shape[1] - back]], dim=1)[:, : previous.shape[1]]


def impossible(previous: Tensor) -> Tensor:
    """(…, VOCABULARY): tokens that cannot follow `previous` (…): lower cells, the same one, an end without holds."""
    tokens = torch.arange(VOCABULARY, device=previous.device)
    first = (previous == START)[..., None]
    return (first & (tokens == END)) | (~first & (tokens <= previous[..., None]))
