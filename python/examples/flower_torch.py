"""Three hospitals train a PyTorch head on CLS tokens over Flower, and average it under encryption.

    pip install 'flwr[simulation]==1.42.0' torch blindscope
    python flower_torch.py

Lines with `blindscope` are what encryption adds to the app: an import, a mod, a strategy. The rest is Flower's own quickstart.
Folders and roster are made by `enrol.py` for the demonstration; in earnest each hospital makes its own (docs/python.md).
"""

import tempfile

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

import blindscope.flower
from enrol import enrolled

SITES, WIDTH, CLASSES, ROUNDS = 3, 32, 3, 3


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(WIDTH, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES))


def tokens(site, n=300):
    """Drawn tokens of a hospital, the same classes everywhere, a shift of its own."""
    draw = torch.Generator().manual_seed(site)
    centres = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(99))
    labels = torch.randint(CLASSES, (n,), generator=draw)
    return centres[labels] + 0.2 * torch.randn(WIDTH, generator=draw) + torch.randn(n, WIDTH, generator=draw), labels


def hospital(folder):
    app = ClientApp(mods=[blindscope.flower.mod(site=f"{folder}/site-{{partition-id}}", roster=f"{folder}/roster.json")])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        net, (x, y) = model(), tokens(int(context.node_config["partition-id"]))
        net.load_state_dict(message.content["arrays"].to_torch_state_dict())
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(10):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimiser.step()
        metrics = MetricRecord({"num-examples": len(y), "loss": loss.item()})
        return Message(RecordDict({"arrays": ArrayRecord(net.state_dict()), "metrics": metrics}), reply_to=message)

    return app


def coordinator(folder, out):
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=SITES, min_available_nodes=SITES)
        strategy = blindscope.flower.Encrypted(strategy, roster=f"{folder}/roster.json", clip=1.0, train_metrics=["loss"])
        out["result"] = strategy.start(grid=grid, initial_arrays=ArrayRecord(model().state_dict()), num_rounds=ROUNDS)

    return app


if __name__ == "__main__":
    folder, out = tempfile.mkdtemp(), {}
    enrolled(folder, [f"site-{i}" for i in range(SITES)])
    run_simulation(server_app=coordinator(folder, out), client_app=hospital(folder), num_supernodes=SITES)
    net, (x, y) = model(), tokens(7)
    net.load_state_dict(out["result"].arrays.to_torch_state_dict())
    losses = [out["result"].train_metrics_clientapp[n]["loss"] for n in range(1, ROUNDS + 1)]
    print("mean loss by round:", " ".join(f"{loss:.3f}" for loss in losses))
    print(f"right at a hospital that took no part: {(net(x).argmax(1) == y).float().mean():.2f}")
