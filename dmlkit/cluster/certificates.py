"""Certificates for a cluster: who has one of its authority belongs to it, all others are kept out.

The files are Dask's own kind; `dask.yaml` beside them tells Dask where they are.
"""

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dmlkit.errors import ClusterError, ConfigurationError, OutputError

__all__ = ["Certificates", "make_certificates", "security_from"]

ROLES = ("scheduler", "worker", "client")
#: Certificates with less time left than this are made anew.
RENEWED_BEFORE = timedelta(days=30)
#: Clocks of different machines may differ by this much.
CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class Certificates:
    """A folder of certificates.

    Attributes
    ----------
    folder : Path
        With ``ca.pem``, a certificate and a key for scheduler, worker and client, and
        ``dask.yaml``, which Dask reads when ``DASK_CONFIG`` names it.
    expires : datetime
        When the first of them does, in UTC.
    made : bool
        False when those that were there are still good, and were kept.
    """

    folder: Path
    expires: datetime
    made: bool


def make_certificates(
    folder: str | os.PathLike[str], *, days: int = 365, renew: bool = False
) -> Certificates:
    """Make an authority, and a certificate and a key of it for each role in a cluster.

    Certificates that are there and good for another 30 days are kept. The authority's private key
    is written to ``authority/``: whoever has it can let others in. Only making certificates needs
    it, so keep it off the cluster.

    Parameters
    ----------
    folder : str
        Is made, readable by its owner only.
    days : int
        How long the certificates are good for.
    renew : bool
        Make new ones, of a new authority, whatever is there. Those made before don't fit them.

    Returns
    -------
    Certificates

    Raises
    ------
    ClusterError
        The package cryptography is missing.
    OutputError
        The folder can't be written to.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> make_certificates(folder).made, make_certificates(folder).made
    (True, False)
    >>> security_from(folder).require_encryption
    True
    """
    if days < 1:
        raise ConfigurationError(f"days={days}: certificates must be good for at least 1 day.")
    folder = Path(folder).expanduser().absolute()
    if not renew and (expires := _good_until(folder)):
        return Certificates(folder, expires, made=False)
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in _issue(folder, expires).items():
            _write_private(folder / name, content)
    except OSError as error:
        raise OutputError(f"Cannot write certificates to {str(folder)!r}: {error}.") from None
    return Certificates(folder, expires, made=True)


def security_from(folder: str | os.PathLike[str]) -> Any:
    """Return Dask's security settings for the certificates in a folder.

    Parameters
    ----------
    folder : str
        Made by `make_certificates`; a copy without ``authority/`` will do, and one without the keys
        of other roles.

    Returns
    -------
    distributed.Security

    Raises
    ------
    ConfigurationError
        The folder holds no certificates.
    """
    from distributed import Security

    folder = Path(folder).expanduser().absolute()
    if not (folder / "ca.pem").is_file():
        raise ConfigurationError(
            f"There are no certificates in {str(folder)!r}: it has no ca.pem. "
            "Make them with `dmlkit clusters certs FOLDER`, and copy the folder to each host."
        )
    settings = _tls_settings(folder)
    files = {"tls_ca_file": settings["ca-file"]}
    for role in ROLES:
        if Path(settings[role]["cert"]).is_file():
            files |= {f"tls_{role}_{part}": settings[role][part] for part in ("cert", "key")}
    return Security(require_encryption=True, **files)


def _good_until(folder: Path) -> datetime | None:
    """Return when the certificates in a folder expire; None unless all are there and good."""
    x509 = _cryptography().x509
    try:
        authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        issued = [
            x509.load_pem_x509_certificate((folder / f"{role}.pem").read_bytes()) for role in ROLES
        ]
        for certificate in issued:
            certificate.verify_directly_issued_by(authority)
    except Exception:  # missing, cut short, of another authority: to be made anew
        return None
    whole = all((folder / name).is_file() for name in ("dask.yaml", *_key_names()))
    expires: datetime = min(each.not_valid_after_utc for each in (authority, *issued))
    return expires if whole and expires - datetime.now(UTC) > RENEWED_BEFORE else None


def _key_names() -> list[str]:
    return [f"{role}-key.pem" for role in ROLES]


def _issue(folder: Path, expires: datetime) -> dict[str, bytes]:
    """Return what is to be in each file, the configuration last."""
    authority_key, authority = _certificate("dmlkit cluster authority", expires)
    contents = {"authority/ca-key.pem": _pem_of_key(authority_key), "ca.pem": _pem(authority)}
    for role in ROLES:
        key, certificate = _certificate(role, expires, authority_key, authority)
        contents |= {f"{role}-key.pem": _pem_of_key(key), f"{role}.pem": _pem(certificate)}
    settings = {
        "distributed": {
            "comm": {
                "default-scheme": "tls",
                "require-encryption": True,
                "tls": _tls_settings(folder),
            }
        }
    }
    return contents | {"dask.yaml": json.dumps(settings, indent=2).encode()}  # YAML, too


def _tls_settings(folder: Path) -> dict[str, Any]:
    roles = {
        role: {"cert": str(folder / f"{role}.pem"), "key": str(folder / f"{role}-key.pem")}
        for role in ROLES
    }
    return {"ca-file": str(folder / "ca.pem"), **roles}


def _certificate(
    name: str, expires: datetime, authority_key: Any = None, authority: Any = None
) -> tuple[Any, Any]:
    """Return a new key and its certificate, signed by an authority or, as one, by itself."""
    cryptography = _cryptography()
    x509, hashes = cryptography.x509, cryptography.hazmat.primitives.hashes
    key = cryptography.hazmat.primitives.asymmetric.ec.generate_private_key(
        cryptography.hazmat.primitives.asymmetric.ec.SECP256R1()
    )
    is_authority = authority is None
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = key if is_authority else authority_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if is_authority else authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - CLOCK_SKEW)
        .not_valid_after(expires)
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), True
        )
        .add_extension(_key_usage(x509, is_authority), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
    )
    if not is_authority:
        purposes = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        # Each side serves and calls. Dask doesn't compare names: it asks who signed.
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, False)
    return key, builder.sign(signer, hashes.SHA256())


def _key_usage(x509: Any, is_authority: bool) -> Any:
    signs = dict.fromkeys(("key_cert_sign", "crl_sign"), is_authority)
    unused = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return x509.KeyUsage(
        digital_signature=not is_authority,
        encipher_only=False,
        decipher_only=False,
        **signs,
        **dict.fromkeys(unused, False),
    )


def _pem(certificate: Any) -> bytes:
    content: bytes = certificate.public_bytes(_serialization().Encoding.PEM)
    return content


def _pem_of_key(key: Any) -> bytes:
    serialization = _serialization()
    content: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return content


def _serialization() -> Any:
    return _cryptography().hazmat.primitives.serialization


def _cryptography() -> Any:
    try:
        import cryptography.hazmat.primitives.asymmetric.ec
        import cryptography.hazmat.primitives.hashes
        import cryptography.hazmat.primitives.serialization
        import cryptography.x509
    except ImportError:
        raise ClusterError(
            "Certificates are made by the package cryptography, which is missing: "
            "pip install 'dmlkit[tls]'."
        ) from None
    return cryptography


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in place of what was there."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    number, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
