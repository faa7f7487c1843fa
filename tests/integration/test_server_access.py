"""Who may do what: every role on every route, an open server on loopback, and what every answer carries."""

import pytest

from ai_ops.server.auth import SCOPE_OF, Keyring, Scope
from ai_ops.server.http_server import ROUTES, build_app
from tests.support.running_server import AGENT_KEY, SERVER_KEY, running

ALL = [pytest.param(route, id=f"{route.method} {route.path}") for route in ROUTES]
SAFE_HEADERS = {
    "Server": "ai-ops",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def open_server(tmp_path):
    async with running(tmp_path, server_key="", agent_keys=(AGENT_KEY,)) as started:
        yield started


def is_problem(answer, status, code):
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["type"] == f"urn:ai-ops:problem:{code}"
    assert problem["title"] and problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    return True


def path_of(route):
    return route.path.replace("{id}", "an-id").replace("{name}", "a-name").replace("{project}", "7")


async def test_every_role_meets_every_route_as_its_scope_says(server):
    for route in ROUTES:
        path = path_of(route)
        for role, key in (("none", ""), ("unknown", "guess"), ("agent", AGENT_KEY), ("server", SERVER_KEY)):
            answer = await server.call(route.method, path, key=key)
            code = answer.json.get("code") if answer.body.startswith(b'{"type"') else ""
            said = (role, route.method, path, answer.status, code)
            refused = answer.status in (401, 403)
            if route.scope is Scope.SIGNED:  # no key opens it
                assert (answer.status, code) == (403, "webhook_off"), said
            elif route.scope is Scope.PUBLIC or role == "server":
                assert not refused, said
            elif role == "none":
                assert (answer.status, code) == (401, "key_missing"), said
            elif role == "unknown":
                assert (answer.status, code) == (401, "key_unknown"), said
            elif route.scope is Scope.EVENTS:
                assert not refused, said
            else:
                assert (answer.status, code) == (403, "scope_missing"), said
            assert answer.status != 500, said


async def test_an_agent_key_opens_the_routes_that_take_events_and_nothing_else(server):
    opened = [
        (route.method, route.path)
        for route in ROUTES
        if route.scope not in (Scope.PUBLIC, Scope.SIGNED)
        and (await server.call(route.method, path_of(route), key=AGENT_KEY)).status not in (401, 403)
    ]
    taking = [("POST", "/v1/events"), ("POST", "/v1/logs"), ("POST", "/api/{project}/envelope/")]
    assert opened == taking


async def test_every_route_of_the_app_declares_a_scope(server):
    app = build_app(server.services)
    declared = app[SCOPE_OF]
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }
    assert served == set(declared)
    assert {scope for (_, path), scope in declared.items() if path.startswith("/v1/")}.isdisjoint(
        {Scope.PUBLIC}
    )


async def test_a_route_that_declares_no_scope_is_closed_to_everybody(tmp_path):
    async def forgotten(request):
        raise AssertionError("it was reached")

    async with running(tmp_path, add=("GET", "/v1/forgotten", forgotten)) as server:
        assert is_problem(await server.get("/v1/forgotten"), 403, "scope_undeclared")


async def test_keys_are_refused_before_the_body_is_read(server):
    answer = await server.post("/v1/tasks", body=b"not json", key="guess")
    assert is_problem(answer, 401, "key_unknown")
    assert "WWW-Authenticate" in answer.headers
    await server.nothing_happened()


async def test_a_key_beside_another_of_the_same_beginning_is_unknown(server):
    for key in (SERVER_KEY[:-1], SERVER_KEY + "x", SERVER_KEY.upper(), f" {SERVER_KEY}x"):
        assert is_problem(await server.get("/v1/tasks", key=key), 401, "key_unknown")


@pytest.mark.parametrize("key", ["\u00fcmlaut", "\x80\xff"], ids=["accent", "high bytes"])
async def test_a_key_of_odd_bytes_is_unknown_and_no_fault(server, key):
    sent = b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: " + key.encode("latin-1")
    assert b" 401 " in (await server.raw(sent + b"\r\n\r\n")).split(b"\r\n")[0]


# An open server: no key, on loopback only


async def test_an_open_server_answers_whoever_names_loopback(open_server):
    assert (await open_server.get("/v1/tasks")).status == 200
    assert (await open_server.post("/v1/tasks", {"prompt": "hello"})).status == 201


async def test_an_open_server_still_holds_an_agent_to_its_scope(open_server):
    assert is_problem(await open_server.get("/v1/tasks", key=AGENT_KEY), 403, "scope_missing")
    assert is_problem(await open_server.get("/v1/tasks", key="guess"), 401, "key_unknown")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "[",
        "127.0.0.1:99999",
        "127.0.0.1:port",
    ],
)
async def test_an_open_server_answers_no_name_that_was_rebound_to_it(open_server, host):
    answer = await open_server.post("/v1/tasks", {"prompt": "hello"}, headers={"Host": host})
    assert is_problem(answer, 403, "host_not_allowed")
    await open_server.nothing_happened()


async def test_an_open_server_wants_to_hear_a_name(open_server):
    assert b" 403 " in (await open_server.raw(b"GET /v1/tasks HTTP/1.0\r\n\r\n")).split(b"\r\n")[0]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
async def test_an_open_server_refuses_pages_of_other_sites(open_server, origin):
    for path in ("/v1/tasks", "/v1/events", "/v1/tasks/x/cancel"):
        answer = await open_server.post(path, {"prompt": "hello"}, headers={"Origin": origin})
        assert is_problem(answer, 403, "origin_not_allowed")
    await open_server.nothing_happened()


async def test_an_open_server_answers_a_page_of_its_own(open_server):
    answer = await open_server.get("/v1/tasks", headers={"Origin": open_server.listening.url})
    assert answer.status == 200


# What every answer carries


async def test_every_answer_has_an_id_and_the_headers_that_keep_browsers_safe(server):
    answers = {
        200: await server.get("/healthz"),
        201: await server.post("/v1/tasks", {"prompt": "hello"}),
        401: await server.get("/v1/tasks", key="guess"),
        403: await server.get("/v1/tasks", key=AGENT_KEY),
        404: await server.get("/nowhere"),
        405: await server.call("DELETE", "/v1/tasks"),
        415: await server.post("/v1/tasks", body=b"{}", headers={"Content-Type": "text/plain"}),
        422: await server.post("/v1/tasks", {}),
    }
    for status, answer in answers.items():
        assert answer.status == status
        assert len(answer.headers["X-Request-ID"]) == 32
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert {name: answer.headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS
        assert answer.headers["Cache-Control"] == "no-store"
    assert len({answer.headers["X-Request-ID"] for answer in answers.values()}) == len(answers)


async def test_the_id_of_a_request_is_never_the_clients(server):
    answer = await server.get("/healthz", headers={"X-Request-ID": "mine"})
    assert answer.headers["X-Request-ID"] != "mine"


async def test_what_no_route_takes_is_named(server):
    assert is_problem(await server.get("/nowhere"), 404, "not_found")
    refused = await server.call("DELETE", "/v1/tasks")
    assert is_problem(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET,HEAD,POST"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", id="not HTTP"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n", id="huge header"),
        pytest.param(b"POST /v1/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n{}", id="bad length"),
        pytest.param(b"FOOBAR / HTTP/1.1\r\nHost: a\r\n\r\n", id="unknown method"),
    ],
)  # fmt: skip
async def test_what_is_not_http_is_answered_in_the_same_shape(server, sent):
    head, _, body = (await server.raw(sent)).partition(b"\r\n\r\n")
    assert b" 400 " in head.split(b"\r\n")[0]
    assert b"X-Request-ID: " in head and b"nosniff" in head
    assert b"application/problem+json" in head and b'"malformed_request"' in body
    assert b"aaaa" not in body


@pytest.mark.parametrize("route", [p for p in ALL if p.values[0].method == "GET"])
async def test_head_is_get_without_the_body(server, route):
    path = path_of(route)
    asked = await server.call("HEAD", path)
    assert asked.body == b""
    assert asked.status == (await server.get(path)).status
    assert asked.headers["X-Request-ID"]
    if route.scope is not Scope.PUBLIC:
        assert (await server.call("HEAD", path, key="")).status == 401


def test_one_key_may_be_both_and_then_opens_everything():
    assert Keyring("same", ("same",)).scopes("same") == frozenset(Scope)
