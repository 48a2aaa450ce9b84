"""The address of a bucket: ``s3://bucket/prefix?endpoint=...``, read and judged without any library of a store."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

# Names that S3 accepts; dots are left out, because no certificate fits them.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?")
_KNOWN = frozenset({"endpoint", "region", "style"})
_STYLES = ("path", "virtual")


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """Where a bucket is; credentials are no part of it.

    Attributes:
        bucket: Its name.
        prefix: What every object's name begins with, without slashes around it; may be empty.
        endpoint: Address of the store; None for Amazon's own.
        region: Its region; None for the environment's.
        is_virtual: Whether the bucket's name is part of the host's.
    """

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    is_virtual: bool


def parse_bucket(url: str) -> BucketAddress:
    """Read the address of a bucket.

    Raises:
        ValueError: It is none; the text never quotes what was given, which could hold a credential.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3":
        raise ValueError("write an address such as s3://bucket/prefix?endpoint=https://s3.example.org")
    if "@" in parts.netloc:
        raise ValueError("credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, never from the address")
    prefix = parts.path.strip("/")
    if not _BUCKET.fullmatch(parts.netloc) or not _PREFIX.fullmatch(prefix):
        raise ValueError("the bucket or its prefix is no name: letters, digits and hyphens")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not given.keys() <= _KNOWN:
        raise ValueError("an address of a bucket takes endpoint, region and style alone")
    if given.get("style", "path") not in _STYLES:
        raise ValueError("style is path or virtual")
    endpoint = given.get("endpoint")
    if endpoint is not None and not _is_endpoint(endpoint):
        raise ValueError("endpoint is an address such as https://s3.example.org")
    return BucketAddress(parts.netloc, prefix, endpoint, given.get("region"), given.get("style") == "virtual")


def _is_endpoint(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
