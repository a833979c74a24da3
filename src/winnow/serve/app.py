"""
The web application: for every service a JSON API and one page, rendered here without any script.

    GET  /                      the domains that are served, with the verdicts on their models
    GET  /DOMAIN                the page with its form;  POST /DOMAIN: the form's answer
    POST /api/DOMAIN/VERB       the answer as JSON: what `winnow DOMAIN VERB` prints as JSON
    GET  /openapi.json, /api    the API's description, for programs and for people
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from winnow.pipeline.errors import WinnowError
from winnow.serve.limits import Limits
from winnow.serve.service import Service, TooSlowError, Upload
from winnow.serve.worker import BusyError, Worker

HERE = Path(__file__).parent
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\r\t"} | {127: 0x2421}
"""Control characters, such as those of a terminal, and the symbols that show them."""
PAGE = ["GET", "HEAD"]
FILE = "file"
"""The field of a form that holds the file."""


@dataclass(frozen=True)
class Bounds:
    """What the server takes at most."""

    megabytes: float = 32.0
    """of a request"""
    seconds: float = 60.0
    """for an answer, waiting included"""
    body_seconds: float = 30.0
    """in which a request has to arrive"""
    questions: int = 8
    """at a time, being computed or waiting"""


def make_app(
    services: Sequence[Service], worker: Worker, bounds: Bounds, hosts: Sequence[str], templates: Path
) -> Limits:
    """The application; it answers only requests to one of the `hosts` (`*`: any), so that no other page's name may
    stand for this machine.

    The folder `templates` holds of every service the Jinja2 template of its form and answer, `DOMAIN/page.html`.
    """
    by_domain = {service.domain: service for service in services}
    pages = _environment(templates)

    def render(template: str, status: int = 200, **context: Any) -> HTMLResponse:
        shared = {"services": services, "bounds": bounds, "version": version("winnow")}
        return HTMLResponse(pages.get_template(template).render(shared | context), status)

    def refusal(path: str, status: int, error: WinnowError) -> Response:
        headers = {"retry-after": "5"} if status == 503 else None
        if path.startswith("/api/"):
            return JSONResponse(_told(error), status, headers)
        service = by_domain.get(path.strip("/"))
        if service is None:
            response = render("refused.html", status, error=error)
        else:
            response = _page(render, service, status, error=error)
        response.headers.update(headers or {})
        return response

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        worker.close()

    app = FastAPI(
        title="winnow",
        version=version("winnow"),
        description="Trained models, asked as by the command line, which gives the same answers as JSON.",
        docs_url=None,  # these pages load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)

    _add_refusals(app, refusal, {_path(service): list(service.question.model_fields) for service in services})

    @app.api_route("/", methods=PAGE, include_in_schema=False)
    async def index() -> Response:
        return render("index.html")

    @app.api_route("/api", methods=PAGE, include_in_schema=False)
    async def api() -> Response:
        return render("api.html", api=app.openapi())

    for service in services:
        _add_api(app, service, worker)
        _add_page(app, service, worker, render)
    return Limits(
        app,
        refusal,
        most_bytes=round(bounds.megabytes * 1_000_000),
        seconds=bounds.body_seconds,
        most_bodies=2 * bounds.questions,
    )


def _add_refusals(
    app: FastAPI, refusal: Callable[[str, int, WinnowError], Response], fields: Mapping[str, Sequence[str]]
) -> None:
    """Whatever is raised becomes one message, on a page or as JSON; `fields` are those of each path of the API."""

    @app.exception_handler(WinnowError)
    async def _(request: Request, error: WinnowError) -> Response:
        status = 503 if isinstance(error, BusyError | TooSlowError) else 422
        return refusal(request.url.path, status, error)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    async def _(request: Request, error: RequestValidationError | ValidationError) -> Response:
        return refusal(request.url.path, 422, _invalid(error, fields.get(request.url.path, ())))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        about = {404: "there is no such page", 405: "this page takes no such request"}
        fix = "/ lists what there is" if error.status_code in about else "/api describes each question"
        what = WinnowError(about.get(error.status_code, str(error.detail)), fix=fix)
        return refusal(request.url.path, error.status_code, what)

    @app.exception_handler(Exception)
    async def _(request: Request, _: Exception) -> Response:  # its traceback is on the terminal
        what = WinnowError("winnow has failed to answer", fix="see the terminal in which it runs")
        return refusal(request.url.path, 500, what)


def _environment(folder: Path) -> Environment:
    """Templates of this package as `NAME.html`, those of a domain as `DOMAIN/page.html`; everything is escaped."""
    environment = Environment(
        loader=FileSystemLoader([HERE / "templates", folder]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    environment.filters["visible"] = lambda text: str(text).translate(CONTROLS)
    environment.filters["plain"] = lambda text: str(text).replace("`", "")
    environment.filters["percent"] = _percent
    environment.filters["as_json"] = _json_without_pictures
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment


def _percent(share: float) -> str:
    """With a digit more where rounding would make it nothing or everything."""
    if share in {0, 1} or 0.1 <= share <= 0.99:
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _json_without_pictures(value: Any) -> str:
    """As text for people, with the beginning of pictures only."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return re.sub(r"(data:image/png;base64,.{20})[^\"]*", r"\1…", text)


def _path(service: Service) -> str:
    return f"/api/{service.domain}/{service.verb}"


def _add_api(app: FastAPI, service: Service, worker: Worker) -> None:
    path = _path(service)
    about: dict[str, Any] = {
        "summary": service.title,
        "description": f"{service.lead} Gives what `winnow {service.domain} {service.verb}` prints as JSON.",
        "operation_id": f"{service.domain}_{service.verb}",
        "responses": {
            422: {"description": "what is wrong with the question, as `error` and `to_do`"},
            503: {"description": "too many questions at a time, or an answer that takes too long"},
        },
    }
    if service.accept:
        schema = service.question.model_json_schema()
        file = {"type": "string", "format": "binary", "description": f"one of {', '.join(service.accept)}"}
        body = {**schema, "properties": {FILE: file, **schema.get("properties", {})}, "required": [FILE]}
        content = {"multipart/form-data": {"schema": body}}

        @app.post(path, openapi_extra={"requestBody": {"required": True, "content": content}}, **about)
        async def ask_about_file(request: Request) -> Any:
            values, upload = await _form(request)
            asked = service.question.model_validate(values)
            _check_sent(service, upload)
            return JSONResponse(await worker.answer(lambda clock: service.ask(asked, upload, clock)))

        return

    async def ask(asked: Any) -> Any:
        return JSONResponse(await worker.answer(lambda clock: service.ask(asked, None, clock)))

    ask.__annotations__["asked"] = service.question  # from which FastAPI reads and describes the body
    app.post(path, **about)(ask)


def _add_page(app: FastAPI, service: Service, worker: Worker, render: Callable[..., HTMLResponse]) -> None:
    @app.api_route(f"/{service.domain}", methods=PAGE, include_in_schema=False)
    async def page() -> Response:
        return _page(render, service)

    @app.post(f"/{service.domain}", include_in_schema=False)
    async def answered(request: Request) -> Response:
        values, upload = await _form(request)
        try:
            asked = service.question.model_validate(values)
            _check_sent(service, upload)
        except ValidationError as error:
            own = list(service.question.model_fields)
            return _page(render, service, 422, values=values, error=_invalid(error, own))
        except WinnowError as error:
            return _page(render, service, 422, values=values, error=error)

        def answer_and_show(clock: Any) -> tuple[Any, dict[str, Any]]:
            found = service.ask(asked, upload, clock)
            return found, service.shown(found)

        try:
            found, shown = await worker.answer(answer_and_show)
        except (BusyError, TooSlowError) as error:
            return _page(render, service, 503, values=values, error=error)
        except WinnowError as error:
            return _page(render, service, 422, values=values, error=error)
        return _page(render, service, values=values, answer=found, shown=shown)


def _page(render: Callable[..., HTMLResponse], service: Service, status: int = 200, **context: Any) -> HTMLResponse:
    """The service's page, with what was typed, and an answer or an error where there is one."""
    defaults = {
        name: "" if field.is_required() or field.default is None else field.default
        for name, field in service.question.model_fields.items()
    }
    given = context.pop("values", None)
    typed = defaults | ({**{name: False for name in defaults if defaults[name] is True}, **given} if given else {})
    nothing: dict[str, Any] = {"answer": None, "shown": {}, "error": None}
    return render(f"{service.domain}/page.html", status, service=service, typed=typed, **nothing | context)


async def _form(request: Request) -> tuple[dict[str, str], Upload | None]:
    """The fields of a form that are not empty, and its file."""
    async with request.form(max_files=1, max_fields=32, max_part_size=1_000_000) as form:
        file = form.get(FILE)
        upload = None
        if isinstance(file, UploadFile) and (file.filename or file.size):
            upload = Upload(file.filename or FILE, await file.read())
        values = {name: value for name, value in form.items() if isinstance(value, str) and value and name != FILE}
    return values, upload


def _check_sent(service: Service, upload: Upload | None) -> None:
    if service.accept and (upload is None or not upload.content):
        fix = f"send one of {', '.join(service.accept)} in the form's field `file`"
        raise WinnowError("no file was sent, or an empty one", fix=fix)


def _told(error: WinnowError) -> dict[str, str]:
    parts = {"error": error.what, "where": error.where, "to_do": error.fix}
    return {name: text for name, text in parts.items() if text}


def _invalid(error: RequestValidationError | ValidationError, fields: Sequence[str]) -> WinnowError:
    """All that is wrong with a question, which has the `fields`, in one message."""
    wrong = dict.fromkeys(_wrong(each, fields) for each in error.errors())
    return WinnowError("; ".join(wrong), fix="/api describes each question")


def _wrong(each: Mapping[str, Any], fields: Sequence[str]) -> str:
    place = each["loc"]
    names = [str(name) for name in (place[1:] if place[:1] == ("body",) else place)]
    if each["type"] == "json_invalid" or not names:
        return "the body is not a JSON object sent with the header `content-type: application/json`"
    why = each["msg"]
    if each["type"] == "extra_forbidden":
        why = f"there is no such field; those there are: {', '.join(fields) or 'none'}"
    return f"`{'.'.join(names)}`: {why}"
