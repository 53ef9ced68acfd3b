"""Access: who asks, by what they show, and what that allows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import cookie_parser

from queuectl.web.site import Site
from queuectl.web.tokens import Role, Tokens

SESSION_S = 30 * 24 * 3600
"""How long a browser stays logged in."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def role_of(headers: Mapping[str, str], site: Site) -> Role | None:
    """Return what a request may do, by its bearer token or its cookie; None: nothing."""
    if site.tokens is None:
        return "full"
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return site.tokens.role_of(token.strip())
    cookies = cookie_parser(headers.get("cookie", ""))
    return _role_of_session(cookies.get(cookie_name(site), ""), site.tokens)


def session_cookie(role: Role, site: Site, *, secure: bool) -> str:
    """Return the Set-Cookie header that logs a browser in."""
    tokens = site.tokens
    value = "" if tokens is None else _signer(tokens).sign(role).decode()
    return _set_cookie(value, site, secure=secure, max_age=SESSION_S)


def no_session_cookie(site: Site) -> str:
    """Return the Set-Cookie header that logs a browser out."""
    return _set_cookie("", site, secure=False, max_age=0)


def cookie_name(site: Site) -> str:
    """Return what the cookie is called. Each queue has its own: browsers keep those of all ports together."""
    known = "" if site.tokens is None else f"{site.tokens.full}:{site.tokens.read}"
    return f"queuectl-{hashlib.sha256(known.encode()).hexdigest()[:12]}"


def is_bearer(headers: Mapping[str, str]) -> bool:
    """Whether a request brings its token along itself, which no other site can make a browser do."""
    return headers.get("authorization", "").lower().startswith("bearer ")


def is_from_here(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a request comes from a page of this site, as it does for each that changes something.

    By Sec-Fetch-Site, else by Origin; a request that has neither comes from no browser of today.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _role_of_session(value: str, tokens: Tokens) -> Role | None:
    try:
        role = _signer(tokens).unsign(value, max_age=SESSION_S)
    except BadSignature:  # or too old
        return None
    return "full" if role == b"full" else "read" if role == b"read" else None


def _signer(tokens: Tokens) -> TimestampSigner:
    """Signs with the tokens themselves: new ones end all sessions."""
    return TimestampSigner(
        f"{tokens.full}:{tokens.read}", salt="queuectl session", digest_method=hashlib.sha256
    )


def _set_cookie(value: str, site: Site, *, secure: bool, max_age: int) -> str:
    path = f"{site.base_path}/" if site.base_path else "/"
    parts = [
        f"{cookie_name(site)}={value}",
        f"Path={path}",
        f"Max-Age={max_age}",
        "HttpOnly",
        "SameSite=Strict",
    ]
    return "; ".join([*parts, "Secure"] if secure else parts)
