"""tensorboard: what its reader finds in the files of torch.utils.tensorboard's SummaryWriter."""

import tempfile
from pathlib import Path

import numpy as np
import start
import torch
from matplotlib import pyplot
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from torch.utils.tensorboard import SummaryWriter

losses = []


def keep(folder):
    """All numbers and texts that are read in a folder."""
    events = EventAccumulator(str(folder), size_guidance={"histograms": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    for tag in sorted(tags["scalars"]):
        losses.extend(
            number for event in events.Scalars(tag) for number in (event.step, event.value)
        )
    for tag in sorted(tags["histograms"]):
        for event in events.Histograms(tag):
            histogram = vars(event.histogram_value)
            losses.extend(np.hstack([event.step, *histogram.values()]))
    for tag in sorted(tags["images"]):
        losses.extend(n for event in events.Images(tag) for n in (event.width, event.height))
    for tag in sorted(tags["tensors"]):
        losses.extend(b for event in events.Tensors(tag) for b in event.tensor_proto.string_val[0])
    for content in events.summary_metadata.values():
        if content.plugin_data.plugin_name == "hparams":
            read = plugin_data_pb2.HParamsPluginData.FromString(content.plugin_data.content)
            read.session_start_info.start_time_secs = read.session_end_info.end_time_secs = 0
            losses.extend(str(read).encode())


with tempfile.TemporaryDirectory() as folder:
    with SummaryWriter(folder) as writer:
        for step in range(5):
            writer.add_scalar("loss", torch.tensor(1.0 / (1 + step)), step)
            writer.add_scalar("nested/rate", 0.1, step, walltime=1.5)
            writer.add_scalars("both", {"a": step, "b": np.float32(-step)}, step)
            writer.add_histogram("weights", start.randn(50) * 10, step)
        writer.add_histogram("few", np.arange(10), bins="auto")
        writer.add_text("note", "a **text**", 3)
        writer.add_figure("figure", pyplot.figure(figsize=(2, 1), dpi=50))
        writer.add_hparams(
            {"lr": 0.1, "kind": "adam", "on": True}, {"best": 0.5}, {"lr": [0.1, 1.0]}, "run"
        )
    with SummaryWriter(folder, purge_step=3, filename_suffix=".again") as writer:
        writer.add_scalar("loss", 7.0, 3)
    for path in sorted({path.parent for path in Path(folder).rglob("events*")}):
        keep(path)
