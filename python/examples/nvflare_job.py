"""Three hospitals average a numpy model over NVIDIA FLARE under encryption, in its simulator.

    pip install nvflare==2.9.0 blindscope
    python enrol.py FOLDER site-1 site-2 site-3 && python nvflare_job.py FOLDER

Lines with `blindscope` (in a comment, where they have no such word) are what encryption adds to FLARE's own FedAvg job.
"""

import sys
from pathlib import Path

import numpy as np
from nvflare.recipe import SimEnv

import blindscope.nvflare

HERE = Path(__file__).parent


def job(folder, rounds=3):
    return blindscope.nvflare.EncryptedFedAvgRecipe(
        roster=f"{folder}/roster.json", site=f"{folder}/{{site}}",  # of blindscope
        model=np.zeros((3, 32)), min_clients=3, num_rounds=rounds, train_script=str(HERE / "nvflare_client.py"),
        metrics=["loss"],  # averaged inside the sum, by blindscope
    )


if __name__ == "__main__":
    folder = sys.argv[1]
    job(folder).execute(SimEnv(num_clients=3, workspace_root=f"{folder}/work"))
    print(np.load(next(Path(f"{folder}/work").rglob("server.npy"))).shape)
