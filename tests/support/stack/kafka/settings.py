"""A broker's settings, whatever runs it: one node that is broker and controller (KRaft)."""

KAFKA_VERSION = "4.1.1"


def broker_settings(
    host: str, port: int, controller_port: int, log_directory: str
) -> dict[str, str]:
    """By the names of Kafka's own configuration reference.

    `port` is the same inside and outside of a container, since the broker also reaches itself
    (for the markers that end a transaction) at the address that it advertises.
    """
    return {
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": log_directory,
        "auto.create.topics.enable": "false",
        # One broker cannot keep the three copies that Kafka asks for by default.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # The first use of each makes all its partitions: 50 of them take seconds.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        # By default a new group waits three seconds for more members.
        "group.initial.rebalance.delay.ms": "0",
    }
