"""The shapes of GitHub's comments, reviews, checks and Apps, as its description has them. Data only."""

from __future__ import annotations

from typing import Any

from tests.support.github_bodies import API, repository, user

Json = dict[str, Any]
_WHEN = "2026-01-01T00:00:00Z"
_RIGHTS = {"contents": "write", "pull_requests": "write", "checks": "read"}


def permission(api: str, login: str, word: str) -> Json:
    """Return a repository-collaborator-permission."""
    return {"permission": word, "role_name": word, "user": {**user(api, login), "role_name": word}}


def comment(api: str, name: str, one: Json) -> Json:
    """Return an issue-comment."""
    issue = f"{api}/repos/{name}/issues/{one['pull']}"
    return {
        "id": one["id"],
        "node_id": f"IC_{one['id']}",
        "url": f"{api}/repos/{name}/issues/comments/{one['id']}",
        "html_url": f"{_html(api, name, one)}#issuecomment-{one['id']}",
        "issue_url": issue,
        "user": user(api, one["login"]),
        "body": one["body"],
        "author_association": "NONE",
        **_stamps(one),
    }


def line(api: str, name: str, one: Json) -> Json:
    """Return a pull-request-review-comment."""
    url, html = f"{api}/repos/{name}/pulls/comments/{one['id']}", _html(api, name, one)
    links = {"self": url, "html": html, "pull_request": _pull(api, name, one)}
    body = {
        "id": one["id"],
        "node_id": f"RC_{one['id']}",
        "url": url,
        "html_url": f"{html}#discussion_r{one['id']}",
        "pull_request_url": links["pull_request"],
        "pull_request_review_id": None,
        "diff_hunk": "@@ -1 +1 @@",
        "path": one["path"],
        "line": one["line"],
        "original_line": one["line"],
        "side": "RIGHT",
        "commit_id": "0" * 40,
        "original_commit_id": "0" * 40,
        "user": user(api, one["login"]),
        "body": one["body"],
        "author_association": "NONE",
        "_links": {key: {"href": link} for key, link in links.items()},
        **_stamps(one),
    }
    return body | ({"in_reply_to_id": one["root"]} if one["root"] else {})


def review(api: str, name: str, one: Json) -> Json:
    """Return a pull-request-review."""
    pull, html = _pull(api, name, one), f"{_html(api, name, one)}#pullrequestreview-{one['id']}"
    return {
        "id": one["id"],
        "node_id": f"RV_{one['id']}",
        "user": user(api, one["login"]),
        "body": one["body"],
        "state": one["state"],
        "commit_id": "0" * 40,
        "submitted_at": one["created_at"],
        "html_url": html,
        "pull_request_url": pull,
        "author_association": "NONE",
        "_links": {"html": {"href": html}, "pull_request": {"href": pull}},
    }


def commit(api: str, name: str, sha: str, login: str, email: str, message: str) -> Json:
    """Return a commit; its author has an account when ``login`` is not empty."""
    url = f"{api}/repos/{name}/commits/{sha}"
    person = {"name": "Ada", "email": email, "date": _WHEN}
    account = user(api, login) if login else None
    return {
        "sha": sha,
        "node_id": f"C_{sha}",
        "url": url,
        "html_url": url,
        "comments_url": f"{url}/comments",
        "author": account,
        "committer": account,
        "parents": [],
        "commit": {
            "url": url,
            "author": person,
            "committer": person,
            "message": message,
            "comment_count": 0,
            "tree": {"sha": sha, "url": url},
        },
    }


def status(api: str, name: str, one: Json, state: str) -> Json:
    """Return a commit status."""
    return {
        "id": one["id"],
        "node_id": f"S_{one['id']}",
        "url": f"{api}/repos/{name}/statuses/{one['sha']}",
        "avatar_url": None,
        "state": state,
        "description": "as the machine says",
        "target_url": "https://ci.example/1",
        "context": one["check"],
        "creator": user(api, "ci"),
        **_stamps(one),
    }


def combined(api: str, name: str, sha: str, state: str, statuses: list[Json]) -> Json:
    """Return a combined-commit-status; of many GitHub lists thirty."""
    url = f"{api}/repos/{name}/commits/{sha}"
    return {
        "state": state,
        "statuses": [{key: one[key] for key in one if key != "creator"} for one in statuses[:30]],
        "sha": sha,
        "total_count": len(statuses),
        "repository": repository(api, name, "main"),
        "commit_url": url,
        "url": f"{url}/status",
    }


def check_run(api: str, name: str, one: Json, conclusion: str | None) -> Json:
    """Return a check-run; without a conclusion it is still running."""
    url = f"{api}/repos/{name}/check-runs/{one['id']}"
    return {
        "id": one["id"],
        "node_id": f"CR_{one['id']}",
        "head_sha": one["sha"],
        "name": one["check"],
        "url": url,
        "html_url": f"{url}/page",
        "details_url": None,
        "external_id": "",
        "status": "completed" if conclusion else "in_progress",
        "conclusion": conclusion,
        "started_at": one["created_at"],
        "completed_at": one["created_at"] if conclusion else None,
        "check_suite": {"id": 5},
        "app": None,
        "pull_requests": [],
        "output": {
            "title": f"{one['check']} says",
            "summary": "one line is wrong",
            "text": None,
            "annotations_count": 1,
            "annotations_url": f"{url}/annotations",
        },
    }


def annotation(api: str, name: str, one: Json) -> Json:
    """Return a check-annotation."""
    return {
        "path": "app.py",
        "start_line": 1,
        "end_line": 1,
        "start_column": None,
        "end_column": None,
        "annotation_level": "failure",
        "title": None,
        "message": "x is wrong",
        "raw_details": None,
        "blob_href": f"{api}/repos/{name}/blob/{one['sha']}",
    }


def app(api: str, app_id: str, slug: str) -> Json:
    """Return an integration."""
    return {
        "id": int(app_id),
        "node_id": "A_1",
        "slug": slug,
        "name": slug,
        "client_id": "Iv1.1",
        "owner": user(api, "acme"),
        "description": None,
        "external_url": "https://ai-ops.example",
        "html_url": f"{api.removesuffix(API)}/apps/{slug}",
        "created_at": _WHEN,
        "updated_at": _WHEN,
        "permissions": _RIGHTS,
        "events": [],
    }


def installation(api: str, app_id: str, slug: str, owner: str) -> Json:
    """Return an installation."""
    url = f"{api}/app/installations/7"
    return {
        "id": 7,
        "app_id": int(app_id),
        "app_slug": slug,
        "target_id": 1,
        "target_type": "Organization",
        "account": user(api, owner),
        "single_file_name": None,
        "repository_selection": "all",
        "access_tokens_url": f"{url}/access_tokens",
        "html_url": url,
        "repositories_url": f"{api}/installation/repositories",
        "events": [],
        "permissions": _RIGHTS,
        "created_at": _WHEN,
        "updated_at": _WHEN,
        "suspended_by": None,
        "suspended_at": None,
    }


def _pull(api: str, name: str, one: Json) -> str:
    return f"{api}/repos/{name}/pulls/{one['pull']}"


def _html(api: str, name: str, one: Json) -> str:
    return f"{api.removesuffix(API)}/{name}/pull/{one['pull']}"


def _stamps(one: Json) -> Json:
    return {"created_at": one["created_at"], "updated_at": one["created_at"]}
