"""The local target's own issuer of tokens: its keys, and the tokens that it signs with them.

Tokens look like those of Entra ID's v2 endpoint, as far as the gateway looks: RS256, `iss`, `aud`, `roles`, `exp`. No
cryptography is imported before a key is made or used: the provider plugin imports this at its start.
"""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

LIFETIME_S = 3600
"""How long a token lives where nothing else is asked for; Entra ID's live for 60 to 90 minutes."""
LONGEST_S = 24 * 3600
"""The longest that a token may live, and so how long a key is published after it has signed its last one."""
EARLY_S = 300
"""A client asks for the next token so long before the one that it has ends."""

_BITS = 2048
_EXPONENT = 65537


@dataclass(frozen=True)
class Token:
    """A signed token."""

    text: str = field(repr=False)
    expires: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class SigningKey:
    """A key of the issuer."""

    id: str
    private: str = field(repr=False)
    """PEM."""
    published_until: float | None = None
    """Seconds since 1970; None for the key that signs."""


@dataclass(frozen=True)
class Issuer:
    """Who signs: `url` is what tokens name as their issuer. The last key signs; those before it are only published."""

    url: str
    rotation: int
    keys: tuple[SigningKey, ...]

    @classmethod
    def new(cls, url: str, rotation: int) -> "Issuer":
        """An issuer with one key."""
        return cls(url, rotation, (_new_key(),))

    def rotated(self, rotation: int, *, now: float) -> "Issuer":
        """The same issuer with a new key; the one before is published until the last token that it signed has ended."""
        before = tuple(
            key if key.published_until else replace(key, published_until=now + LONGEST_S) for key in self.keys
        )
        return replace(self, rotation=rotation, keys=(*before, _new_key()))

    def current(self, *, now: float) -> "Issuer":
        """The same issuer without the keys whose tokens have all ended."""
        return replace(self, keys=tuple(key for key in self.keys if (key.published_until or now + 1) > now))

    def public_keys(self) -> dict[str, Any]:
        """What the keys are checked by, as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [_public(key) for key in self.keys]}

    def sign(self, audience: str, roles: Sequence[str], *, lifetime_s: int = LIFETIME_S, now: float) -> Token:
        """A token for `audience` with `roles`; one with a `lifetime_s` below 0 has ended already."""
        if lifetime_s > LONGEST_S:
            raise ValueError(f"a token lives at most {LONGEST_S} s, not {lifetime_s}")
        expires = int(now) + lifetime_s
        issued = min(int(now), expires)
        claims = {
            "iss": self.url,
            "aud": audience,
            "sub": "local",
            "ver": "2.0",
            "roles": list(roles),
            "iat": issued,
            "nbf": issued,
            "exp": expires,
        }
        return Token(_signed(self.keys[-1], claims), expires)

    def to_json(self) -> str:
        """All of it, the private keys too."""
        keys = [{"id": key.id, "private": key.private, "publishedUntil": key.published_until} for key in self.keys]
        return json.dumps({"url": self.url, "rotation": self.rotation, "keys": keys}, indent=1)

    @classmethod
    def read(cls, state: Path) -> "Issuer | None":
        """The issuer of the stack whose state folder this is; None where there is none."""
        try:
            written = json.loads(issuer_file(state).read_text())
        except FileNotFoundError:
            return None
        keys = tuple(SigningKey(key["id"], key["private"], key["publishedUntil"]) for key in written["keys"])
        return cls(written["url"], written["rotation"], keys)


def issuer_file(state: Path) -> Path:
    """Where a stack keeps its issuer, readable by its owner alone."""
    return state / "tokens" / "issuer.json"


def mint(state: Path, audience: str, roles: Sequence[str], *, lifetime_s: int = LIFETIME_S) -> Token | None:
    """A token of the stack's issuer as it is now; None where the stack has none."""
    issuer = Issuer.read(state)
    return issuer.sign(audience, roles, lifetime_s=lifetime_s, now=time.time()) if issuer else None


def _new_key() -> SigningKey:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 (see above)
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 (see above)

    private = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)
    public = private.public_key().public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    pem = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return SigningKey(id=hashlib.sha256(public).hexdigest()[:16], private=pem.decode())


def _loaded(key: SigningKey) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 (see above)

    return load_pem_private_key(key.private.encode(), password=None)


def _public(key: SigningKey) -> dict[str, str]:
    numbers = _loaded(key).public_key().public_numbers()
    modulus, exponent = (_number(cast(int, number)) for number in (numbers.n, numbers.e))
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.id, "n": modulus, "e": exponent}


def _signed(key: SigningKey, claims: dict[str, Any]) -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 (see above)
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 (see above)

    head = {"typ": "JWT", "alg": "RS256", "kid": key.id}
    text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
    signature = cast(bytes, _loaded(key).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
    return f"{text}.{_base64(signature)}"


def _number(number: int) -> str:
    return _base64(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
