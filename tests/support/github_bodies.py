"""The shapes of GitHub's answers, as its OpenAPI description has them. Data only."""

from __future__ import annotations

from typing import Any

API = "/api/v3"

_USER_LINKS = [
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "repos",
    "events",
    "received_events",
]
_REPOSITORY_LINKS = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
]


def user(api: str, login: str) -> dict[str, Any]:
    """Return a simple-user."""
    url = f"{api}/users/{login}"
    links = {f"{name}_url": f"{url}/{name}" for name in _USER_LINKS}
    return {
        "login": login,
        "id": sum(login.encode()),
        "node_id": f"U_{login}",
        "avatar_url": f"{url}/avatar",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{api.removesuffix('/api/v3')}/{login}",
        "type": "User",
        "site_admin": False,
        **links,
    }


def private_user(api: str, login: str) -> dict[str, Any]:
    """Return a private-user: who the token belongs to."""
    counts = [
        "followers",
        "following",
        "public_gists",
        "public_repos",
        "collaborators",
        "disk_usage",
        "owned_private_repos",
        "private_gists",
        "total_private_repos",
    ]
    texts = ["bio", "blog", "company", "email", "hireable", "location", "name"]
    return {
        **user(api, login),
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(texts),
        "blog": "",
        "user_view_type": "private",
        "two_factor_authentication": True,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def repository(api: str, name: str, default_branch: str) -> dict[str, Any]:
    """Return a full-repository, which holds all that the smaller shapes want."""
    owner, _, short = name.partition("/")
    url, html = f"{api}/repos/{name}", f"{api.removesuffix('/api/v3')}/{name}"
    counts = [
        "forks",
        "forks_count",
        "stargazers_count",
        "watchers",
        "watchers_count",
        "open_issues",
        "open_issues_count",
        "size",
        "network_count",
        "subscribers_count",
    ]
    return {
        **{f"{link}_url": f"{url}/{link}" for link in _REPOSITORY_LINKS},
        **dict.fromkeys(counts, 0),
        "id": sum(name.encode()),
        "node_id": f"R_{name}",
        "name": short,
        "full_name": name,
        "owner": user(api, owner),
        "private": True,
        "html_url": html,
        "description": None,
        "fork": False,
        "url": url,
        "clone_url": f"{html}.git",
        "git_url": f"{html}.git",
        "ssh_url": f"git@127.0.0.1:{name}.git",
        "svn_url": html,
        "mirror_url": None,
        "default_branch": default_branch,
        "homepage": None,
        "language": None,
        "license": None,
        "archived": False,
        "disabled": False,
        **dict.fromkeys(
            ["has_issues", "has_projects", "has_wiki", "has_pages", "has_discussions", "has_downloads"], True
        ),
        **dict.fromkeys(["created_at", "updated_at", "pushed_at"], "2026-01-01T00:00:00Z"),
    }


def label(api: str, name: str) -> dict[str, Any]:
    """Return a label."""
    return {
        "id": sum(name.encode()),
        "node_id": f"LA_{name}",
        "url": f"{api}/labels/{sum(name.encode())}",
        "name": name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


def node_id(name: str, number: int) -> str:
    """Return what GraphQL calls a pull request."""
    return f"PR_{name.replace('/', '_')}_{number}"


def team(api: str, slug: str) -> dict[str, Any]:
    """Return a team."""
    url = f"{api}/teams/{slug}"
    return {
        **dict.fromkeys(["name", "slug"], slug),
        "id": sum(slug.encode()),
        "node_id": f"T_{slug}",
        "url": url,
        "html_url": url,
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        "description": None,
        "permission": "push",
        "parent": None,
        "type": "organization",
    }


def pull_request(api: str, name: str, kept: dict[str, Any], default_branch: str) -> dict[str, Any]:
    """Return a pull-request-simple from what the double keeps."""
    owner, number = name.partition("/")[0], kept["number"]
    url = f"{api}/repos/{name}/pulls/{number}"
    issue = f"{api}/repos/{name}/issues/{number}"
    html = f"{api.removesuffix('/api/v3')}/{name}/pull/{number}"
    links = {
        "self": url,
        "html": html,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{url}/comments/number",
        "commits": f"{url}/commits",
        "statuses": f"{api}/repos/{name}/statuses/{kept['head_sha']}",
    }

    def side(ref: str, sha: str) -> dict[str, Any]:
        return {
            "label": f"{owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": user(api, owner),
            "repo": repository(api, name, default_branch),
        }

    return {
        "id": number,
        "node_id": node_id(name, number),
        "url": url,
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue,
        "commits_url": links["commits"],
        "comments_url": links["comments"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "statuses_url": links["statuses"],
        "_links": {key: {"href": link} for key, link in links.items()},
        "number": number,
        "state": kept["state"],
        "locked": False,
        "title": kept["title"],
        "body": kept["body"],
        "draft": kept["draft"],
        "user": user(api, kept["author"]),
        "labels": [label(api, text) for text in kept["labels"]],
        "requested_reviewers": [user(api, login) for login in kept["reviewers"]],
        "requested_teams": [team(api, slug) for slug in kept["teams"]],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "head": side(kept["head"], kept["head_sha"]),
        "base": side(kept["base"], kept["base_sha"]),
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        **{key: kept[key] for key in ("created_at", "updated_at", "closed_at", "merged_at")},
        "merge_commit_sha": kept["merge_commit_sha"],
    }


def whole(simple: dict[str, Any], mergeable: bool | None) -> dict[str, Any]:
    """Return the full pull-request: a simple one with what only the single view has."""
    counts = ["additions", "changed_files", "comments", "commits", "deletions", "review_comments"]
    return {
        **simple,
        **dict.fromkeys(counts, 1),
        "merged": simple["merged_at"] is not None,
        "mergeable": mergeable,
        "mergeable_state": {None: "unknown", True: "clean", False: "dirty"}[mergeable],
        "maintainer_can_modify": True,
        "merged_by": None,
    }


def found_issue(api: str, name: str, simple: dict[str, Any]) -> dict[str, Any]:
    """Return an issue-search-result-item for a pull request."""
    issue = simple["issue_url"]
    kept = [
        "id",
        "node_id",
        "number",
        "state",
        "locked",
        "title",
        "body",
        "user",
        "labels",
        "assignee",
        "milestone",
        "closed_at",
    ]
    return {
        **{key: simple[key] for key in (*kept, "created_at", "updated_at", "author_association")},
        "url": issue,
        "html_url": simple["html_url"],
        "repository_url": f"{api}/repos/{name}",
        "comments": 0,
        "comments_url": f"{issue}/comments",
        "events_url": f"{issue}/events",
        "labels_url": f"{issue}/labels",
        "score": 1.0,
        "pull_request": {key: simple[key] for key in ("url", "html_url", "diff_url", "patch_url")},
    }
