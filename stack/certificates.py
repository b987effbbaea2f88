"""The certificates of one installation: an authority made up here, and one for each server it vouches for."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3_650
CERTIFICATE_DAYS = 365
RENEWED_DAYS_BEFORE = 30
_SKEW = timedelta(minutes=5)
"""How far another machine's clock may be behind ours."""


class Authority:
    """Vouches for servers. What it makes lies in one folder; only its owner reads the keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def certificate(self) -> Path:
        """What clients are to trust."""
        return self._folder / "ca.pem"

    def bundle(self, server: str) -> Path:
        """A server's certificate with its key, in one file."""
        return self._folder / f"{server}.bundle.pem"

    def chain(self, server: str) -> Path:
        return self._folder / f"{server}.pem"

    def key(self, server: str) -> Path:
        return self._folder / f"{server}.key"

    def issue(self, server: str, hosts: Sequence[str]) -> None:
        """Make a server's certificate, and the authority's before it, unless there is one that lasts for a while."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not _lasts(self.certificate):
            self._establish()
        if _lasts(self.chain(server)) and self._has_signed(self.chain(server)):
            return
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = load_pem_private_key(self.key("ca").read_bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _begun(_name(server), authority.subject, key, days=CERTIFICATE_DAYS)
            .add_extension(x509.SubjectAlternativeName(list(map(_host, dict.fromkeys(hosts)))), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        self._write(server, key, certificate)

    def _establish(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Weir, of this machine alone")
        certificate = (
            _begun(name, name, key, days=AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_may_sign(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._write("ca", key, certificate)

    def _has_signed(self, path: Path) -> bool:
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        try:
            x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(authority)
        except (InvalidSignature, TypeError, ValueError):
            return False
        return True

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        key_text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        text = certificate.public_bytes(Encoding.PEM)
        for path, content in ((self.key(name), key_text), (self.bundle(name), key_text + text)):
            path.touch(mode=0o600)
            path.write_bytes(content)
        # Last: whoever finds it finds its key as well.
        self.chain(name).write_bytes(text)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _may_sign() -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only")
    no = dict.fromkeys((*others, "decipher_only", "digital_signature"), False)
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **no)


def _lasts(path: Path) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=RENEWED_DAYS_BEFORE)
