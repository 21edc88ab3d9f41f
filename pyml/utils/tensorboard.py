"""Logs for TensorBoard; needs the package tensorboard, as torch.utils.tensorboard does."""

import io
import os
import socket
import time
from datetime import datetime
from functools import cache
from types import SimpleNamespace

import numpy as np

from pyml.tensor import Tensor

__all__ = ["FileWriter", "SummaryWriter", "hparams"]


@cache
def messages():
    """What the package tensorboard has to make and write messages."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
        from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"SummaryWriter: there is no {error.name}; pip install tensorboard", name=error.name
        ) from None
    modules = event_pb2, summary_pb2, tensor_pb2, types_pb2, api_pb2, plugin_data_pb2
    found = {name: value for module in modules for name, value in vars(module).items()}
    return SimpleNamespace(**found, EventFileWriter=EventFileWriter)


class FileWriter:
    """Writes summaries into one file of events.

    Args:
        log_dir: the folder, which is made if it is not there.
        max_queue, flush_secs, filename_suffix: see SummaryWriter.
    """

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        self._events = messages().EventFileWriter(
            str(log_dir), max_queue, flush_secs, filename_suffix
        )

    def get_logdir(self):
        """The folder."""
        return self._events.get_logdir()

    def add_event(self, event, step=None, walltime=None):
        """Writes an Event, with the step and the time: seconds since 1970, by default now."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self._events.add_event(event)

    def add_summary(self, summary, global_step=None, walltime=None):
        """Writes a Summary; see add_event."""
        self.add_event(messages().Event(summary=summary), global_step, walltime)

    def flush(self):
        """Writes what waits."""
        self._events.flush()

    def close(self):
        """Writes what waits, and closes the file."""
        self._events.close()


class SummaryWriter:
    """Writes what TensorBoard shows into a folder.

    Args:
        log_dir: the folder. Default: runs/, in it the time and the name of the machine.
        comment: the end of that name. Default: none.
        purge_step: TensorBoard shows nothing that was written from this step on before. Default:
            it shows all.
        max_queue: how many events wait before the next is written to disk. Default: 10.
        flush_secs: how long they wait at most, in seconds. Default: 120.
        filename_suffix: the end of the file's name. Default: none.

    Example:
        with SummaryWriter("runs/first") as writer:
            for step, value in enumerate(losses):
                writer.add_scalar("loss", value, step)
    """

    def __init__(
        self,
        log_dir=None,
        comment="",
        purge_step=None,
        max_queue=10,
        flush_secs=120,
        filename_suffix="",
    ):
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self._options = max_queue, flush_secs, filename_suffix
        self._writers = {}  # of add_scalars, by their folders
        self.file_writer = FileWriter(log_dir, *self._options)
        if purge_step is not None:
            start = messages().SessionLog(status=messages().SessionLog.START)
            self.file_writer.add_event(messages().Event(file_version="brain.Event:2"), purge_step)
            self.file_writer.add_event(messages().Event(session_log=start), purge_step)

    def get_logdir(self):
        """The folder."""
        return self.log_dir

    def _get_file_writer(self):
        return self.file_writer

    def add_scalar(
        self,
        tag,
        scalar_value,
        global_step=None,
        walltime=None,
        new_style=False,
        double_precision=False,
    ):
        """Writes a number.

        Args:
            tag: its name; what is before a slash is a group.
            scalar_value: a number, or a tensor or array of one element.
            global_step: the step, an integer. Default: none.
            walltime: seconds since 1970. Default: now.
            new_style, double_precision: of no effect: it is written as float32.
        """
        value = messages().Summary.Value(tag=tag, simple_value=_number(tag, scalar_value))
        self._write([value], global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None):
        """Writes {tag: number} into one picture: each in a folder of its own below log_dir."""
        folder = str(self.get_logdir())
        for tag, scalar in tag_scalar_dict.items():
            path = f"{folder}/{main_tag.replace('/', '_')}_{tag}"
            if path not in self._writers:
                self._writers[path] = FileWriter(path, *self._options)
            value = messages().Summary.Value(tag=main_tag, simple_value=_number(tag, scalar))
            self._writers[path].add_summary(
                messages().Summary(value=[value]), global_step, walltime
            )

    def add_histogram(
        self, tag, values, global_step=None, bins="tensorflow", walltime=None, max_bins=None
    ):
        """Writes how the elements of a tensor or array are distributed.

        Args:
            tag, global_step, walltime: see add_scalar.
            values: a tensor or array of any shape, of finite numbers.
            bins: how NumPy's histogram chooses bins, or their edges. Default: from 1e-12 to
                1e20 on both sides of zero, each 1.1 times as wide as the one before.
            max_bins: of no effect.
        """
        values = np.asarray(_array(values), np.float64).ravel()
        if values.size == 0 or not np.isfinite(values).all():
            raise ValueError(
                f"add_histogram: values of {tag!r} must be finite, and one at least; "
                "leave out those that are not"
            )
        if isinstance(bins, str) and bins == "tensorflow":
            edges = 1e-12 * 1.1 ** np.arange(774)
            bins = np.concatenate([-edges[::-1], [0.0], edges])
        counts, edges = np.histogram(values, bins)
        filled = np.flatnonzero(counts)
        first, last = (filled[0], filled[-1]) if filled.size else (0, len(counts) - 1)
        histogram = messages().HistogramProto(
            min=values.min(),
            max=values.max(),
            num=values.size,
            sum=values.sum(),
            sum_squares=values @ values,
            # the first bucket begins where the empty one before it ends
            bucket_limit=edges[first : last + 2].tolist(),
            bucket=[0.0, *counts[first : last + 1].tolist()],
        )
        self._write([messages().Summary.Value(tag=tag, histo=histogram)], global_step, walltime)

    def add_text(self, tag, text_string, global_step=None, walltime=None):
        """Writes a text in Markdown; see add_scalar."""
        metadata = messages().SummaryMetadata(
            plugin_data=messages().SummaryMetadata.PluginData(plugin_name="text")
        )
        text = messages().TensorProto(
            dtype=messages().DT_STRING, string_val=[text_string.encode("utf-8")]
        )
        text.tensor_shape.dim.add(size=1)
        value = messages().Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=text)
        self._write([value], global_step, walltime)

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None):
        """Writes a figure of matplotlib, or a list of them, and closes it unless close=False."""
        from matplotlib import pyplot

        figures = figure if isinstance(figure, list) else [figure]
        for i, each in enumerate(figures):
            png = io.BytesIO()
            each.savefig(png, format="png", dpi=each.dpi)
            width, height = (round(size) for size in each.get_size_inches() * each.dpi)
            image = messages().Summary.Image(
                height=height, width=width, colorspace=4, encoded_image_string=png.getvalue()
            )
            name = f"{tag}/{i}" if isinstance(figure, list) else tag
            self._write([messages().Summary.Value(tag=name, image=image)], global_step, walltime)
            if close:
                pyplot.close(each)

    def add_hparams(
        self,
        hparam_dict,
        metric_dict,
        hparam_domain_discrete=None,
        run_name=None,
        global_step=None,
    ):
        """Writes the options of a run beside what came of it.

        Args:
            hparam_dict: {name: a number or string}; what is None is left out.
            metric_dict: {tag of a scalar: its value}.
            hparam_domain_discrete: {name: list of the values that it can have}. Default: none.
            run_name: the folder below log_dir. Default: the time.
            global_step: the step of the metrics. Default: none.
        """
        summaries = hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self.get_logdir(), run_name or str(time.time()))
        with SummaryWriter(folder) as writer:
            for summary in summaries:
                writer.file_writer.add_summary(summary)
            for tag, value in metric_dict.items():
                writer.add_scalar(tag, value, global_step)

    def _write(self, values, step, walltime):
        self.file_writer.add_summary(messages().Summary(value=values), step, walltime)

    def flush(self):
        """Writes what waits."""
        for writer in (self.file_writer, *self._writers.values()):
            writer.flush()

    def close(self):
        """Writes what waits, and closes the files."""
        for writer in (self.file_writer, *self._writers.values()):
            writer.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def hparams(hparam_dict, metric_dict, hparam_domain_discrete=None):
    """The three summaries of a run's options: of the experiment, of its start and of its end.

    Args:
        hparam_dict, metric_dict, hparam_domain_discrete: see SummaryWriter.add_hparams.

    Raises:
        TypeError: for an option that is no number, string, or tensor of one element.
    """
    domains = hparam_domain_discrete or {}
    infos, start = [], messages().SessionStartInfo()
    for name, value in hparam_dict.items():
        if isinstance(value, str):
            start.hparams[name].string_value, kind = value, messages().DATA_TYPE_STRING
        elif value is not None:
            start.hparams[name].number_value = _number(name, value)
            kind = messages().DATA_TYPE_FLOAT64
        else:
            continue
        info = messages().HParamInfo(name=name, type=kind)
        info.domain_discrete.extend(domains.get(name, ()))
        infos.append(info)
    metrics = [messages().MetricInfo(name=messages().MetricName(tag=tag)) for tag in metric_dict]
    experiment = messages().Experiment(hparam_infos=infos, metric_infos=metrics)
    end = messages().SessionEndInfo(status=messages().STATUS_SUCCESS)
    return (
        _of_hparams("experiment", experiment=experiment),
        _of_hparams("session_start_info", session_start_info=start),
        _of_hparams("session_end_info", session_end_info=end),
    )


def _of_hparams(name, **content):
    content = messages().HParamsPluginData(version=0, **content)
    metadata = messages().SummaryMetadata(
        plugin_data=messages().SummaryMetadata.PluginData(
            plugin_name="hparams", content=content.SerializeToString()
        )
    )
    value = messages().Summary.Value(tag=f"_hparams_/{name}", metadata=metadata)
    return messages().Summary(value=[value])


def _array(values):
    return values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _number(name, value):
    """A number, or the one element of a tensor or array, as a float."""
    array = _array(value)
    if array.size != 1 or array.dtype.kind not in "buif":
        raise TypeError(
            f"SummaryWriter: {name!r} is {value!r}, it must be a number or one element; "
            "take item() of a tensor"
        )
    return float(array.reshape(()))
