"""What hospitals train in the tests on Flower: steps that follow from site and round, in numpy."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

EXAMPLES = [100, 250, 1000, 500]


def change(partition: int, number: int) -> list:
    rng = np.random.default_rng(100 * partition + number)
    return [rng.normal(0, 0.3, (4, 3)), rng.normal(0, 0.3, 5)]


def start() -> list:
    return [np.linspace(-1, 1, 12).reshape(4, 3), np.zeros(5, dtype=np.float32)]


def client_app(mods, failing=None) -> ClientApp:
    """An app behind these mods; of partition and round `failing` it raises."""
    app = ClientApp(mods=mods)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition, number = int(context.node_config["partition-id"]), int(message.content["config"]["server-round"])
        if (partition, number) == failing:
            raise RuntimeError("this hospital's machine died")
        arrays = [a.numpy() + d for a, d in zip(message.content["arrays"].values(), change(partition, number))]
        metrics = MetricRecord({"num-examples": EXAMPLES[partition], "loss": 0.5 * partition, "secret": 42.0})
        record = ArrayRecord([a.astype(b.numpy().dtype) for a, b in zip(arrays, message.content["arrays"].values())])
        return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        metrics = MetricRecord({"num-examples": EXAMPLES[partition], "accuracy": 0.8 + 0.05 * partition})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app
