"""The shapes of GitLab's answers, as its OpenAPI description has them. Data only."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_WHEN = "2026-01-01T00:00:00.000Z"


def user_id(login: str) -> int:
    """Return the id of an account."""
    return sum(byte * (place + 1) for place, byte in enumerate(login.encode()))


def user(root: str, login: str) -> Json:
    """Return a user-basic."""
    return {
        "id": user_id(login),
        "username": login,
        "name": login.title(),
        "state": "active",
        "locked": False,
        "avatar_url": f"{root}/uploads/{login}.png",
        "web_url": f"{root}/{login}",
    }


def member(root: str, login: str, access_level: int) -> Json:
    """Return a member."""
    return {
        **user(root, login),
        "access_level": access_level,
        "created_at": _WHEN,
        "expires_at": None,
        "membership_state": "active",
    }


def project(root: str, path: str, default_branch: str | None, archived: bool) -> Json:
    """Return a project."""
    return {
        "id": user_id(path),
        "name": path.rsplit("/", 1)[1],
        "path": path.rsplit("/", 1)[1],
        "path_with_namespace": path,
        "default_branch": default_branch,
        "archived": archived,
        "visibility": "private",
        "web_url": f"{root}/{path}",
        "http_url_to_repo": f"{root}/{path}.git",
        "empty_repo": default_branch is None,
        "created_at": _WHEN,
    }


def merge_request(root: str, path: str, kept: Json, conflicts: bool) -> Json:
    """Return a merge-request-basic from what the double keeps."""
    number, project_id = kept["number"], user_id(path)
    status = "conflict" if conflicts else "mergeable"
    if kept["state"] != "opened":
        status = "not_open"
    return {
        "id": 1000 + number,
        "iid": number,
        "project_id": project_id,
        "source_project_id": project_id,
        "target_project_id": project_id,
        "title": kept["title"],
        "description": kept["body"],
        "state": kept["state"],
        "draft": kept["draft"],
        "work_in_progress": kept["draft"],
        "created_at": kept["created_at"],
        "updated_at": kept["updated_at"],
        "merged_at": kept["merged_at"],
        "closed_at": kept["closed_at"],
        "source_branch": kept["head"],
        "target_branch": kept["base"],
        "sha": kept["head_sha"],
        "merge_commit_sha": kept["merge_commit_sha"],
        "squash_commit_sha": kept["squash_commit_sha"],
        "author": user(root, kept["author"]),
        "assignees": [],
        "reviewers": [user(root, login) for login in kept["reviewers"]],
        "labels": kept["labels"],
        "has_conflicts": conflicts,
        "merge_status": "cannot_be_merged" if conflicts else "can_be_merged",
        "detailed_merge_status": status,
        "user_notes_count": 0,
        "reference": f"!{number}",
        "references": {"short": f"!{number}", "relative": f"!{number}", "full": f"{path}!{number}"},
        "web_url": f"{root}/{path}/-/merge_requests/{number}",
    }


def note(root: str, path: str, one: Json) -> Json:
    """Return a note."""
    position = one.get("position")
    body = {
        "id": one["id"],
        "type": "DiffNote" if position else one["type"],
        "body": one["body"],
        "author": user(root, one["login"]),
        "created_at": one["created_at"],
        "updated_at": one["created_at"],
        "system": one["system"],
        "noteable_id": 1000 + one["pull"],
        "noteable_iid": one["pull"],
        "noteable_type": "MergeRequest",
        "project_id": user_id(path),
        "resolvable": bool(position),
        "confidential": False,
        "internal": False,
    }
    return body | ({"position": position} if position else {})


def discussion(root: str, path: str, thread: str, notes: list[Json]) -> Json:
    """Return a discussion."""
    alone = len(notes) == 1 and not notes[0].get("position")
    return {
        "id": thread,
        "individual_note": alone,
        "notes": [note(root, path, one) for one in notes],
        "resolvable": False,
        "resolved": False,
    }


def pipeline(root: str, path: str, one: Json, status: str) -> Json:
    """Return a pipeline-basic."""
    return {
        "id": one["id"],
        "iid": one["id"],
        "project_id": user_id(path),
        "sha": one["sha"],
        "ref": one["ref"],
        "status": status,
        "source": one["source"],
        "created_at": one["created_at"],
        "updated_at": one["created_at"],
        "web_url": f"{root}/{path}/-/pipelines/{one['id']}",
    }


def job(root: str, path: str, one: Json, status: str) -> Json:
    """Return a job."""
    body = {
        "id": one["id"],
        "name": one["check"],
        "stage": "test",
        "status": status,
        "ref": "main",
        "tag": False,
        "allow_failure": one["allow_failure"],
        "created_at": one["created_at"],
        "web_url": f"{root}/{path}/-/jobs/{one['id']}",
        "artifacts": [],
        "tag_list": [],
    }
    return body | ({"failure_reason": "script_failure"} if status == "failed" else {})


def commit(root: str, path: str, sha: str) -> Json:
    """Return a commit."""
    return {
        "id": sha,
        "short_id": sha[:8],
        "title": "Work",
        "message": "Work",
        "author_name": "Ada",
        "author_email": "ada@example.test",
        "committer_name": "Ada",
        "committer_email": "ada@example.test",
        "created_at": _WHEN,
        "parent_ids": [],
        "web_url": f"{root}/{path}/-/commit/{sha}",
    }


def compare(root: str, path: str, base: str, head: str, shas: list[str]) -> Json:
    """Return a compare."""
    return {
        "commit": commit(root, path, shas[0]) if shas else None,
        "commits": [commit(root, path, sha) for sha in shas],
        "diffs": [],
        "compare_timeout": False,
        "compare_same_ref": base == head,
        "web_url": f"{root}/{path}/-/compare/{base}...{head}",
    }


def token(login: str, scopes: list[str]) -> Json:
    """Return a personal access token."""
    return {
        "id": 1,
        "name": "ai-ops",
        "revoked": False,
        "active": True,
        "created_at": _WHEN,
        "scopes": scopes,
        "user_id": user_id(login),
        "expires_at": "2027-01-01",
    }
