"""What several commands take."""

from typing import Annotated

import typer

from winnow.domains.load import domain_names
from winnow.pipeline.errors import WinnowError

DomainName = Annotated[str, typer.Argument(help=f"one of {', '.join(domain_names())}", autocompletion=domain_names)]


def check_domain(name: str) -> None:
    """Raise WinnowError unless there is a domain of this name."""
    if name not in domain_names():
        raise WinnowError(f"there is no domain `{name}`", fix=f"one of {', '.join(domain_names())}")
