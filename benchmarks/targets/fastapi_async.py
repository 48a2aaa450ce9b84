"""FastAPI, asynchronous throughout: PyJWT, and blocklist and exact window in one script of Redis; no SQL.

What a careful team writes by hand today: the best peer.
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Annotated

import jwt
import redis
import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import parse_many

from benchmarks.targets.base import ACCESS_EXPIRES_S, ORIGIN, Desk, Place

ALGORITHM = "HS256"

# KEYS[1] the blocked token, KEYS[2...] one sorted set per limit; ARGV[1] a unique member, then quota and window in
# milliseconds of each. Returns -1 for a blocked token, 0 for a spent limit, 1 for a request that may pass.
ADMIT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
for i = 2, #KEYS do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now_ms - ARGV[2 * i - 1])
    if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[2 * i - 2]) then return 0 end
end
for i = 2, #KEYS do
    redis.call('ZADD', KEYS[i], now_ms, ARGV[1])
    redis.call('PEXPIRE', KEYS[i], ARGV[2 * i - 1])
end
return 1
"""


def make_app() -> FastAPI:
    """Return the application."""
    place = Place.from_environment()
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN])
    admit = redis.asyncio.Redis.from_url(place.redis_url).register_script(ADMIT)
    limits = [(limit.amount, limit.get_expiry()) for limit in parse_many(place.limits)]
    arguments = [number for quota, window_s in limits for number in (quota, window_s * 1000)]
    bearer = HTTPBearer()

    async def current_user(shown: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
        try:
            claims = jwt.decode(shown.credentials, place.secret, algorithms=[ALGORITHM])
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, "Invalid token") from error
        user = str(claims["sub"])
        keys = [_blocked(claims["jti"]), *[f"limit:{user}:{window_s}" for _, window_s in limits]]
        admitted = await admit(keys=keys, args=[secrets.token_hex(8), *arguments])
        if admitted < 0:
            raise HTTPException(401, "Token has been revoked")
        if not admitted:
            raise HTTPException(429, "Too Many Requests")
        return user

    @app.get("/protected")
    async def protected(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
        return {"logged_in_as": user}

    return app


def open_desk(place: Place) -> Desk:
    """Return the desk."""
    return _Desk(place)


def _blocked(token_id: str) -> str:
    return f"blocked:{token_id}"


class _Desk:
    def __init__(self, place: Place) -> None:
        self._secret = place.secret
        self._redis = redis.Redis.from_url(place.redis_url)

    def add_accounts(self, subjects: Sequence[str]) -> None:
        """Keep nothing: a token that was signed is all that this application asks for."""

    def issue(self, subjects: Iterable[str]) -> list[str]:
        """Return tokens as the log-in would."""
        now_s = int(time.time())
        claims = {"iat": now_s, "nbf": now_s, "exp": now_s + ACCESS_EXPIRES_S, "type": "access"}
        return [
            jwt.encode({**claims, "sub": subject, "jti": secrets.token_hex(16)}, self._secret, algorithm=ALGORITHM)
            for subject in subjects
        ]

    def revoke(self, tokens: Sequence[str]) -> None:
        """Block tokens as the log-out would."""
        for token in tokens:
            claims = jwt.decode(token, self._secret, algorithms=[ALGORITHM])
            self._redis.set(_blocked(claims["jti"]), 1, ex=ACCESS_EXPIRES_S)
