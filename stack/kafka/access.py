"""Who may do what at a secure broker: users with passwords, and what each may read and write.

The broker itself, and who makes its users, come in at a listener of their own, by a certificate of
the installation's authority: no password has to be there before the first one can be set.
"""

import importlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from stack.part import StackError
from stack.settings import OPERATOR, SERVICES, StackSettings

BROKER = "kafka"
"""Whom the broker's certificate names."""
ITERATIONS = 8_192
SECONDS_MAX = 30
_READING = (AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
"""Who reads a topic also asks how long it keeps what it is told."""
_USERS_OWN = (*_READING, AclOperation.WRITE, AclOperation.CREATE, AclOperation.DESCRIBE)


def properties(settings: StackSettings) -> str:
    """What the broker's configuration says of who may come in, and how."""
    bundle, trusted = settings.authority.bundle(BROKER), settings.authority.certificate
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return f"""
inter.broker.listener.name=BROKERS
listener.security.protocol.map=CLIENTS:SASL_SSL,DETOUR:SASL_SSL,BROKERS:SSL,CONTROLLER:SSL
ssl.keystore.type=PEM
ssl.keystore.location={bundle}
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
listener.name.brokers.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config={login}
listener.name.detour.scram-sha-512.sasl.jaas.config={login}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN={BROKER}
""".strip()


def answers(settings: StackSettings) -> bool:
    """Whether a secure broker answers whom it knows by certificate: before it has users, nobody else gets in."""
    client = admin(settings)
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def grant(settings: StackSettings) -> None:
    """Make the users of services and operators, with today's passwords, and say what each may do. Repeatable.

    Raises StackError where the broker refuses.
    """
    # Only here: it loads every service, which takes seconds that an open installation is spared.
    entries = importlib.import_module("docs.catalogue").entries()
    found = [_topic(OPERATOR, "", AclOperation.READ), _group(OPERATOR, "weir-")]
    for service in SERVICES:
        reads = {entry.topic.name for entry in entries for reader in entry.readers if reader.split()[0] == service}
        found += rights(service, reads)
    # Faust names its group, and what it keeps its table in, after the worker.
    found += [_topic("fraud", "fraud-features", operation) for operation in _USERS_OWN]
    found.append(_group("fraud", "fraud-features"))
    set_passwords(settings, (OPERATOR, *SERVICES))
    allow(settings, found)


def rights(service: str, reads: Iterable[str]) -> list[AclBinding]:
    """What a service needs: all of the topics that bear its name, and to read those of others that it reads."""
    return [
        *(_topic(service, f"{service}.", operation) for operation in _USERS_OWN),
        *(_topic(service, name, operation, is_prefix=False) for name in sorted(reads) for operation in _READING),
        _group(service, service, is_prefix=False),
    ]


def set_passwords(settings: StackSettings, users: Iterable[str]) -> None:
    """Have users come in with the passwords that this installation's secrets tell. Repeatable."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    alterations: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user, info, settings.secrets.get(f"kafka/{user}").encode()) for user in users
    ]
    client = admin(settings)
    _wait_for(client.alter_user_scram_credentials(alterations, request_timeout=SECONDS_MAX).values())


def allow(settings: StackSettings, bindings: Sequence[AclBinding]) -> None:
    """Add to what users may do."""
    client = admin(settings)
    _wait_for(client.create_acls(list(bindings), request_timeout=SECONDS_MAX).values())


def _wait_for(futures: Iterable["Future[None]"]) -> None:
    try:
        for future in futures:
            future.result(SECONDS_MAX)
    except KafkaException as error:
        raise StackError(f"Kafka did not take its users: {error}") from error


def admin(settings: StackSettings) -> AdminClient:
    """Who may do everything, by the broker's own certificate. To be kept in a variable."""
    authority = settings.authority
    return AdminClient(
        {
            "bootstrap.servers": f"{settings.host}:{settings.kafka_internal_port}",
            "security.protocol": "SSL",
            "ssl.ca.location": str(authority.certificate),
            "ssl.certificate.location": str(authority.chain(BROKER)),
            "ssl.key.location": str(authority.key(BROKER)),
            "log_level": 0,
        }
    )


def _topic(user: str, name: str, operation: AclOperation, *, is_prefix: bool = True) -> AclBinding:
    return _binding(ResourceType.TOPIC, user, name, operation, is_prefix=is_prefix)


def _group(user: str, name: str, *, is_prefix: bool = True) -> AclBinding:
    return _binding(ResourceType.GROUP, user, name, AclOperation.READ, is_prefix=is_prefix)


def _binding(kind: ResourceType, user: str, name: str, operation: AclOperation, *, is_prefix: bool) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if is_prefix and name else ResourcePatternType.LITERAL
    return AclBinding(kind, name or "*", pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
