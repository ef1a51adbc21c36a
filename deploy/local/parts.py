"""The parts of the stack, in the order a reader wants to see them; a further part is one more line."""

from deploy.local.airflow_services import airflow_services
from deploy.local.clickhouse_server import clickhouse_server
from deploy.local.kafka_broker import kafka_broker
from deploy.local.postgres_server import postgres_server
from deploy.local.registry_server import registry_server
from deploy.local.simulator_process import simulator_processes
from deploy.local.spark_server import spark_server
from deploy.local.stack import Part, Stack


def all_parts(stack: Stack) -> tuple[Part, ...]:
    return (
        postgres_server(stack),
        kafka_broker(stack),
        registry_server(stack),
        clickhouse_server(stack),
        spark_server(stack),
        *airflow_services(stack),
        *simulator_processes(stack),
    )
