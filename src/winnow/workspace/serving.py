"""`winnow serve`: the models of some domains, opened and served until Ctrl+C."""

import importlib.util
import ipaddress
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from winnow.domains.load import DOMAINS, domain_names, has_module, load
from winnow.learn.folder import TrainedModel, model_folder, use_model
from winnow.pipeline.checkout import checkout_root
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.serve.service import Service

NEEDED = ("fastapi", "jinja2", "python_multipart", "uvicorn")
"""What the extra `serve` installs."""
CONNECTIONS = 64


def choose(domains: Sequence[str], model: Path | None) -> list[str]:
    """The domains to serve: those that are named, or all that have a trained model here.

    Raises WinnowError for a domain that cannot be served, when there is no model, and for `model` without one domain.
    """
    able = [name for name in domain_names() if has_module(name, "serving")]
    for name in domains:
        if name not in able:
            raise WinnowError(f"{name} cannot be served", fix=f"one of {', '.join(able)}")
    if model is not None and len(domains) != 1:
        raise WinnowError("--model is the folder of one domain's model", fix="winnow serve DOMAIN --model FOLDER")
    if domains:
        return list(dict.fromkeys(domains))
    root = checkout_root()
    trained = [name for name in able if root is not None and _has_model(name, root)]
    if not trained:
        raise WinnowError(
            "there is no trained model here",
            where=str(Path.cwd()),
            fix="`winnow run` trains them in a checkout; elsewhere: winnow serve DOMAIN --model FOLDER",
        )
    for name in sorted({*able} - {*trained}):
        say(f"{name} is not served: it has no trained model (`dvc repro train@{name}`)")
    return trained


def serve(domains: Sequence[str], model: Path | None, host: str, port: int) -> None:
    """Open the models, then answer at `host` and `port` until Ctrl+C.

    Raises WinnowError when the extra is not installed, or when the port is taken.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise WinnowError(
            f"serving needs packages that are not installed: {', '.join(missing)}",
            fix="pip install 'winnow[serve]', or in a checkout: make .venv/ready",
        )
    chosen = choose(domains, model)
    listening = _listen(host, port)  # before the models are opened, which takes seconds
    import uvicorn

    from winnow.serve.app import Bounds, make_app
    from winnow.serve.worker import Worker

    bounds = Bounds()
    worker = Worker(seconds=bounds.seconds, most=bounds.questions)
    services = []
    for name in chosen:
        say(f"opening {name} …")
        services.append(worker.now(partial(_open, name, use_model(name, model))))
    app = make_app(services, worker, bounds, _hosts(host), DOMAINS)
    shown = f"[{host}]" if ":" in host else host
    say(f"serving {', '.join(chosen)} at http://{shown}:{listening.getsockname()[1]}    (Ctrl+C ends)")
    if not _is_loopback(host):
        say("⚠ whoever reaches this machine may ask: there is no password")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _open(domain: str, trained: TrainedModel) -> Service:
    service: Service = load(domain, "serving").open_service(trained)
    return service


def _has_model(domain: str, root: Path) -> bool:
    try:
        return model_folder(domain, root).is_dir()
    except WinnowError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(CONNECTIONS)  # who asks before the server is ready waits
    except OSError as error:
        raise WinnowError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}",
            fix="--port 0 takes any free port; --host 127.0.0.1 is this machine",
        ) from None
    return listening


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hosts(host: str) -> list[str]:
    """The names by which requests may call this machine: of a loopback address only its own."""
    written = f"[{host}]" if ":" in host else host
    return [written, "localhost", "127.0.0.1"] if _is_loopback(host) else ["*"]
