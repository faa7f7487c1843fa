"""Chat channels are told by apprise's own plugins, over real HTTP on loopback; no log speaks for us there."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from ai_ops.core.notices import Notice, chat, harmless, notice_data
from ai_ops.core.redaction.redactor import redact
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.notification import NotificationState, Way
from ai_ops.integrations.channels import ChannelNotifier, service_of
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository
from tests.integration.test_mail import HOSTILE, NOW, REPORT
from tests.support.store import FixedClock, sqlite_url

TOKEN = "plantedtokenofachannel1"


class Chat:
    """What a chat's server got, and how it answers."""

    def __init__(self):
        self.bodies, self.status, self.headers = [], 200, {}
        self.came, self.answers = asyncio.Event(), asyncio.Event()
        self.answers.set()

    async def take(self, request):
        self.bodies.append(json.loads(await request.read()))
        self.came.set()
        await self.answers.wait()
        return web.Response(status=self.status, headers=self.headers, text="ok")


@pytest.fixture
async def server():
    taken = Chat()
    app = web.Application()
    app.router.add_post("/{path:.*}", taken.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taken.home = f"127.0.0.1:{runner.addresses[0][1]}"
    yield taken
    await runner.cleanup()


def notification(report=REPORT):
    made = MailRenderer().render("pull_request:1", report, ["channel:chat"], NOW)
    return replace(made, recipient="channel:chat")


@asynccontextmanager
async def opened(folder, notifier):
    """An outbox, and the mailroom that writes into channels."""
    database, clock = await open_database(sqlite_url(folder)), FixedClock()
    clock.time = NOW
    outbox = OutboxRepository(database)
    room = Mailroom(outbox, notifier, clock, redact, others={Way.CHANNEL: notifier})
    try:
        yield outbox, room
    finally:
        await room.close()
        await database.close()


def channel(server, form):
    return ChannelNotifier({"chat": form.format(home=server.home, token=TOKEN)})


FORMS = {
    "json": ("json://{home}/", lambda body: f"{body['title']}\n{body['message']}"),
    "mattermost": ("mmost://{home}/{token}", lambda body: body["text"]),
    "gotify": ("gotify://{home}/{token}", lambda body: f"{body['title']}\n{body['message']}"),
}


@pytest.mark.parametrize(("form", "words"), FORMS.values(), ids=FORMS)
async def test_a_channel_gets_the_subject_a_few_lines_and_the_link(server, form, words):
    assert "taken by" in await channel(server, form).deliver(notification())
    (body,) = server.bodies
    said = words(body).replace("\\", "")
    for each in ("Pull request", "ZeroDivisionError", "/acme/shop/pull/7", "Proved"):
        assert each in said
    assert len(said) < 1500


async def test_what_a_service_refuses_is_temporary_and_its_secret_is_not_told_to_others(server):
    server.status = 500
    with pytest.raises(TemporaryError, match=r"channel_unavailable.*Mattermost.*500"):
        await channel(server, FORMS["mattermost"][0]).deliver(notification())


async def test_a_redirect_is_not_followed(server):
    server.status, server.headers = 307, {"Location": f"http://{server.home}/elsewhere"}
    with pytest.raises(TemporaryError):
        await channel(server, "json://{home}/").deliver(notification())
    assert len(server.bodies) == 1


MENTIONS = ["@channel", "@here go", "<!channel>", "<!here|here>", "<@U123>", "<#C123>", "<users/all>",
            "#all", "/kick ada", "http://evil.example/x", "www.evil.example", "&lt;!here&gt;"]  # fmt: skip


@pytest.mark.parametrize("text", MENTIONS)
def test_what_a_chat_would_act_on_is_broken_and_still_readable(text):
    safe = harmless(f"{text} ")
    assert safe.replace("\u200b", "") == text
    for active in ("@c", "@h", "@U", "<!", "<@", "<#", "<u", "#a", "#C", "://", "www.e", "&l"):
        assert active not in safe
    assert not safe.startswith("/k")


@pytest.mark.parametrize("text", [*HOSTILE, *MENTIONS], ids=lambda text: ascii(text)[:24])
async def test_hostile_text_mentions_nobody_and_is_sent(server, text):
    report = replace(REPORT, title=text, failure_code="x", failure=text, next_step=text, where=f"{text}:1")
    await channel(server, "json://{home}/").deliver(notification(report))
    said = f"{server.bodies[0]['title']}\n{server.bodies[0]['message']}"
    for active in ("@channel", "@here", "<!", "<@", "<#", "#all", "evil.example/x://", "<script"):
        assert active not in said
    assert said.count("://") == 1, "our own link alone"
    assert "\n/kick" not in said


def test_a_long_digest_shows_its_beginning_and_where_the_rest_is():
    items = tuple((f"Error {n}", f"https://ai-ops.example/{n}") for n in range(500))
    said = chat(notice_data(Notice("Digest", "500 messages", items)))
    assert "Error 19" in said and "Error 20" not in said
    assert "and 480 more" in said


@pytest.mark.parametrize("url", ["", "nonsense", "unknown://x", "slack://"])
def test_an_address_that_apprise_does_not_know_is_named_without_its_words(url):
    with pytest.raises(PermanentError, match="channel_invalid") as caught:
        service_of(url)
    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "slack://TAAAAAAAA/BAAAAAAAA/aaaaaaaaaaaaaaaaaaaaaaaa",
        "workflow://prod-1.example.com/workflowid123/signature123",
        "dingtalk://aaaaaaaaaaaaaaaaaaaa",
        "feishu://aaaaaaaaaaaaaaaaaaaa",
        "wecombot://aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
        "tgram://123456789:abcdefg_hijklmnop/12315544",
        "discord://123456789/abcdefghijk",
    ],
    ids=lambda url: url.partition(":")[0],
)
def test_the_channels_that_are_named_in_the_documentation_are_there(url):
    assert service_of(url).service_name


async def test_without_the_extra_it_is_said_what_to_install(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(PermanentError, match="channels_missing") as caught:
        await channel(server, "json://{home}/").deliver(notification())
    assert "ai-ops[server,channels]" in caught.value.next_step


async def test_one_that_is_no_longer_configured_ends_with_that_reason():
    with pytest.raises(PermanentError, match="receiver_unknown"):
        await ChannelNotifier({}).deliver(notification())


async def test_a_message_that_goes_out_while_its_run_is_cancelled_is_written_once(server, tmp_path):
    """A chat's message has no id: sent again, people read it twice."""
    server.answers.clear()
    async with opened(tmp_path, channel(server, "json://{home}/")) as (outbox, room):
        await outbox.put(room.render("pull_request:1", REPORT, ["channel:chat"], NOW))
        step = asyncio.create_task(room.deliver_due())
        await asyncio.wait_for(server.came.wait(), 30)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        next_turn = asyncio.create_task(room.deliver_due())
        for _ in range(50):
            await asyncio.sleep(0.002)
        server.answers.set()
        await next_turn
        assert len(server.bodies) == 1
        (kept,) = (await outbox.list()).items
        assert kept.state is NotificationState.SENT
