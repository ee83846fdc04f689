"""Prints every record of a topic as one JSON object a line: what a client that is not ours makes of it.

Usage: read_topic.py BROKERS REGISTRY_URL TOPIC
Confluent's consumer reads as far as the topic reaches (read_committed), its Avro deserializer decodes the values.
"""
import datetime
import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    """Avro's timestamp-micros arrive as datetime."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    raise TypeError(f"no JSON for {type(value)}")


def main(brokers, registry, topic):
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "e2e-foreign-client",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(topic, MessageField.VALUE)
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    reading = set(partitions)
    while reading:
        message = consumer.poll(30)
        if message is None:
            sys.exit(f"{topic}: nothing within 30 s")
        if message.error() is not None:
            if message.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(str(message.error()))
            reading.discard(message.partition())
            continue
        record = {
            "partition": message.partition(),
            "offset": message.offset(),
            "key": message.key().decode(),
            "value": None if message.value() is None else deserialize(message.value(), context),
        }
        print(json.dumps(record, default=plain))
    consumer.close()


main(*sys.argv[1:])
