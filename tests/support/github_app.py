"""Apps at the GitHub double: the signed proof, installations, and tokens that live an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support import github_talk_bodies as bodies
from tests.support.api_double import Handler, Refused
from tests.support.github_base import STORAGE, GitHubBase
from tests.support.github_bodies import API

APP_ID = "12345"
SLUG = "ai-ops"


def key_pair() -> tuple[str, str]:
    """Return a private key and its public one as PEM; what GitHub keeps of an App is the latter."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


class AppDouble(GitHubBase):
    """An App. ``app_key`` is its public key; without one there is no App. ``installed`` holds owners."""

    def __init__(self, root: Path, token: str) -> None:
        super().__init__(root, token)
        self.app_key = ""
        self.installed: set[str] = {"acme"}
        self.now = lambda: datetime.now(UTC)
        self.minted: dict[str, datetime] = {}

    def app_routes(self, api: str, repo: str) -> list[tuple[str, str, Handler]]:
        """Return the routes of Apps."""
        return [
            ("GET", api + "/app", self._app),
            ("GET", repo + "/installation", self._installation),
            ("POST", api + "/app/installations/{id}/access_tokens", self._mint),
        ]

    def authorise(self, request: web.Request) -> None:
        """Take the token, one that was minted, or for the App's own routes its signed proof."""
        if request.path.startswith(f"{STORAGE}/"):
            if "Authorization" in request.headers:
                raise Refused(400, {"message": "a signed address wants no token"})
            return
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        if request.path.startswith(f"{API}/app") or request.path.endswith("/installation"):
            good = kind == "Bearer" and self._signed(shown)
        else:
            good = kind in ("token", "Bearer") and (
                shown == self.token or self.minted.get(shown, self.now()) > self.now()
            )
        if not good:
            raise Refused(401, {"message": "Bad credentials", "documentation_url": "https://docs"})

    def acts_as_app(self, request: web.Request) -> bool:
        """Say whether a request bears a minted token."""
        return request.headers.get("Authorization", "").partition(" ")[2] in self.minted

    def actor(self, request: web.Request) -> str:
        """Return whose token a request bears."""
        return f"{SLUG}[bot]" if self.acts_as_app(request) else self.login

    def _signed(self, proof: str) -> bool:
        try:
            jwt.decode(proof, self.app_key, algorithms=["RS256"], issuer=APP_ID)
        except (jwt.PyJWTError, ValueError):
            return False
        return True

    def _app(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, bodies.app(self.api_url, APP_ID, SLUG)

    def _installation(self, request: web.Request, body: Any) -> tuple[int, Any]:
        owner = self.name(request).partition("/")[0]
        if owner not in self.installed:
            raise Refused(404, {"message": "Not Found", "documentation_url": "https://docs"})
        return 200, bodies.installation(self.api_url, APP_ID, SLUG, owner)

    def _mint(self, request: web.Request, body: Any) -> tuple[int, Any]:
        token = f"ghs_minted{len(self.minted):04d}" + "x" * 24
        ends = self.now() + timedelta(hours=1)
        self.minted[token] = ends
        self.git.more_tokens.add(token)
        return 201, {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
