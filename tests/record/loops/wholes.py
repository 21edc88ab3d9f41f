"""Objects are compared, shown, hashed or sorted as a whole: no field is named."""

import argparse
import dataclasses
import pickle
import types
from dataclasses import dataclass, field

from record.loops.changing import seen


@dataclass(order=True)
class Job:
    size: int = 1
    value: float = 1.0


@dataclass(unsafe_hash=True)
class Key:
    size: int = 1


@dataclass
class Outer:
    inner: Job = field(default_factory=Job)


@dataclass(slots=True)
class Slotted:
    size: int = 1


class Arguments(argparse.Namespace):
    pass


def resized(thing, step, of=None):
    """A step of something whose size changes, or that of a part of it."""
    return lambda x: x * step(thing), lambda: setattr(of or thing, "size", 3)


@seen
def dataclass_equal():
    base = Job()
    return resized(Job(), lambda job: 1.0 if job == base else 2.0)


@seen
def dataclass_unequal():
    base = Job()
    return resized(Job(), lambda job: 1.0 if job != base else 2.0)


@seen
def dataclass_in_a_list():
    jobs = [Job()]
    return resized(Job(), lambda job: 1.0 if job in jobs else 2.0)


@seen
def dataclass_replaced_and_compared():
    base = Job()
    return resized(Job(), lambda job: 1.0 if dataclasses.replace(job) == base else 2.0)


@seen
def dataclass_in_a_text():
    return resized(Job(), lambda job: 1.0 + ("size=3" in f"{job}"))


@seen
def dataclass_in_another_in_a_text():
    outer = Outer()
    return resized(outer, lambda outer: 1.0 + ("size=3" in repr(outer)), outer.inner)


@seen
def dataclass_of_slots():
    base = Slotted()
    return resized(Slotted(), lambda job: 1.0 if job == base else 2.0)


@seen
def largest_dataclass():
    jobs = [Job(1, 5.0), Job(2, 7.0)]
    return resized(jobs, lambda jobs: max(jobs).value, jobs[0])


@seen
def sorted_dataclasses():
    jobs = [Job(1, 5.0), Job(2, 7.0)]
    return resized(jobs, lambda jobs: sorted(jobs)[0].value, jobs[0])


@seen
def dataclass_as_a_key():
    table = {Key(1): 1.0, Key(3): 2.0}
    return resized(Key(), lambda key: table[key])


@seen
def arguments_equal():
    base = argparse.Namespace(size=1)
    return resized(argparse.Namespace(size=1), lambda args: 1.0 if args == base else 2.0)


@seen
def derived_arguments_equal():
    base = Arguments(size=1)
    return resized(Arguments(size=1), lambda args: 1.0 if args == base else 2.0)


@seen
def arguments_in_a_text():
    return resized(argparse.Namespace(size=1), lambda args: 1.0 + ("size=3" in str(args)))


@seen
def computed_name_in_arguments():
    args, name = argparse.Namespace(), "SIZE"
    return resized(args, lambda args: 1.0 + (name.lower() in args))


@seen
def state_by_reduce():
    return resized(Job(), lambda job: job.__reduce_ex__(2)[2]["si" + "ze".lower()] * 1.0)


@seen
def pickled():
    return resized(Job(), lambda job: len(pickle.dumps(job)) * 1.0)


@seen
def field_that_no_method_reads():
    """Is not compared: the step would be recorded anew in each call."""
    job, spaces = Job(), types.SimpleNamespace(size=1.0, calls=0)

    def step(x):
        return x * job.value * spaces.size

    return step, lambda: setattr(job, "value", 2.0)
