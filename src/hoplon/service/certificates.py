"""Checks certificate files before anything starts."""

import ssl
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.settings.fields import TlsSettings


def check_certificate(tls: TlsSettings) -> None:
    """Raise `tls.unusable`, saying which file and why, unless a TLS listener could be opened with these files."""
    if tls.certificate is None or tls.key is None:
        return
    for setting, path in (("certificate", tls.certificate), ("key", tls.key)):
        _check_readable(setting, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except ssl.SSLError as error:
        raise _explained(tls.certificate, tls.key, error) from error


def _check_readable(setting: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        message = f"the file of `tls.{setting}` cannot be read: {path}: {error.strerror}"
        raise HoplonError("tls.unusable", message, "it must be readable for the user who runs hoplon") from error


def _no_password() -> bytes:
    raise HoplonError(
        "tls.unusable", "the private key has a passphrase", "store it without: openssl pkey -in KEY -out KEY2"
    )


def _explained(certificate: Path, key: Path, error: ssl.SSLError) -> HoplonError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return HoplonError("tls.unusable", f"the key {key} is not that of the certificate {certificate}", "pair them")
    message = f"{certificate} and {key} are no PEM certificate and key"
    return HoplonError("tls.unusable", message, "both begin with a line -----BEGIN …-----")
