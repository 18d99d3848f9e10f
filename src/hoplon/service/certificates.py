"""Checks certificate files before anything starts."""

import ssl
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.settings.fields import TlsSettings


def check_certificates(tls: TlsSettings) -> None:
    """Raise `tls.unusable`, saying which file and why, unless TLS listeners could be opened with these files."""
    if tls.certificate is None or tls.key is None:
        return
    _check_pair(tls.certificate, tls.key)
    for certificate in _certificates_in(tls.directory):
        _check_pair(certificate, certificate.with_suffix(".key"))


def tls_files(tls: TlsSettings, *names: str) -> dict[str, str | None]:
    """The files of these settings by their absolute paths, as a part's configuration names them."""
    paths: dict[str, Path | None] = {name: getattr(tls, name) for name in names}
    return {name: None if path is None else str(path.absolute()) for name, path in paths.items()}


def _certificates_in(directory: Path | None) -> list[Path]:
    if directory is None:
        return []
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".pem")
    except OSError as error:
        message = f"the directory of `tls.directory` cannot be read: {directory}: {error.strerror}"
        raise HoplonError(
            "tls.unusable", message, "it holds NAME.pem with NAME.key, or leave the setting out"
        ) from error


def _check_pair(certificate: Path, key: Path) -> None:
    for what, path in (("certificate", certificate), ("key", key)):
        _check_readable(what, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise _explained(certificate, key, error) from error


def _check_readable(what: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        message = f"the {what} cannot be read: {path}: {error.strerror}"
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
