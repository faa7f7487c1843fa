"""Who was told what, over HTTP and on the command line: each that has not arrived says why."""

import asyncio
import json

import pytest

from ai_ops.integrations.mail.render import MailRenderer
from tests.integration.test_mail import NOW, REPORT
from tests.support.cli import ai_ops
from tests.support.running_server import running


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def told(server, key="failed:1", recipients=("ada@example.com", "webhook:ops")):
    return await server.services.outbox.put(MailRenderer().render(key, REPORT, recipients, NOW))


async def test_each_message_and_receiver_is_listed_and_shown(server):
    mail, hook = await told(server)
    await server.services.outbox.release([mail.id], NOW)
    await server.services.outbox.mark_failed(mail.id, "mail_refused: 550 no", None)
    items = (await server.get("/v1/notifications")).json["items"]
    assert [each["recipient"] for each in items] == ["webhook:ops", "ada@example.com"]
    assert [each["way"] for each in items] == ["webhook", "mail"]
    (failed,) = (await server.get("/v1/notifications?state=failed")).json["items"]
    assert (failed["reason"], failed["attempts"]) == ("mail_refused: 550 no", 1)
    assert "text" not in failed
    shown = (await server.get(f"/v1/notifications/{hook.id[:8]}")).json
    assert shown["data"]["pr_url"] == REPORT.pr_url == shown["url"]
    assert "divides by the number" in shown["text"]


async def test_a_list_is_paged(server):
    for number in range(3):
        await told(server, f"k{number}", ("ada@example.com",))
    first = (await server.get("/v1/notifications?limit=2")).json
    rest = (await server.get(f"/v1/notifications?limit=2&cursor={first['next_cursor']}")).json
    assert len(first["items"]) == 2 and len(rest["items"]) == 1 and rest["next_cursor"] is None


async def test_what_failed_goes_out_again_and_nothing_else(server):
    mail, hook = await told(server)
    outbox = server.services.outbox
    await outbox.release([mail.id, hook.id], NOW)
    await outbox.mark_failed(mail.id, "550", None)
    again = await server.post(f"/v1/notifications/{mail.id}/retry", {})
    assert (again.status, again.json["state"]) == (200, "pending")
    refused = await server.post(f"/v1/notifications/{hook.id}/retry", {})
    assert (refused.status, refused.json["code"]) == (409, "notification_not_failed")
    missing = await server.post("/v1/notifications/ffffffff/retry", {})
    assert (missing.status, missing.json["code"]) == (404, "notification_not_found")
    assert (await server.get("/v1/notifications/ffffffff")).status == 404
    assert (await server.get("/v1/notifications?state=lost")).status == 422


async def test_the_command_line_says_what_has_not_arrived_and_tries_again(server):
    url = server.listening.url
    mail, _ = await told(server)

    async def notification(*arguments):
        return await asyncio.to_thread(
            ai_ops, "notification", *arguments, url=url, environment={"AI_OPS_API_KEY": server.key}
        )

    await server.services.outbox.release([mail.id], NOW)
    await server.services.outbox.mark_failed(mail.id, "mail_refused: 550 no", None)
    code, out, err = await notification("list", "--state", "failed")
    assert code == 0, err
    assert mail.id in out and "ada@example.com" in out and "550 no" in out
    code, out, _ = await notification("show", mail.id[:8])
    assert code == 0 and "divides by the number" in out
    code, out, _ = await notification("retry", mail.id, "--json")
    assert code == 0 and json.loads(out)["state"] == "pending"
    assert (await notification("retry", mail.id))[0] == 4
    assert (await notification("show", "ffffffff"))[0] == 3
