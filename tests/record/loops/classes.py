"""Classes and what they are made of are changed between two calls."""

import enum

from record.loops.changing import seen


class Meta(type):
    @property
    def factor(cls):
        return cls._factor

    def __getitem__(cls, name):
        return cls.table[name]

    def __getattr__(cls, name):
        if name == "late":
            return type(cls).meta_factor
        raise AttributeError(name)

    def __iter__(cls):
        return iter(cls.hidden)

    def __len__(cls):
        return len(cls.hidden)

    def __call__(cls, x):
        return x * type(cls).meta_factor


def class_of(meta=Meta, **names):
    return meta("Made", (), names)


@seen
def property_of_a_metaclass():
    cls = class_of(_factor=1.0)

    def change():
        cls._factor = 2.0

    return lambda x: x * cls.factor, change


@seen
def attribute_of_a_metaclass():
    Meta.meta_factor = 1.0
    cls = class_of()

    def change():
        Meta.meta_factor = 2.0

    return lambda x: x * cls.meta_factor, change


@seen
def item_of_a_class():
    cls = class_of(table={"a": 1.0})
    return lambda x: x * cls["a"], lambda: cls.table.update(a=2.0)


@seen
def getattr_of_a_metaclass():
    Meta.meta_factor = 1.0
    cls = class_of()

    def change():
        Meta.meta_factor = 2.0

    return lambda x: x * cls.late, change


@seen
def iteration_over_a_class():
    cls = class_of(hidden=[1.0])
    return lambda x: x * sum(list(cls)), lambda: cls.hidden.append(1.0)


@seen
def length_of_a_class():
    cls = class_of(hidden=[1.0])
    return lambda x: x * len(cls), lambda: cls.hidden.append(1.0)


@seen
def call_of_a_metaclass():
    Meta.meta_factor = 1.0
    cls = class_of()

    def change():
        Meta.meta_factor = 2.0

    return lambda x: cls(x), change


@seen
def instance_check_of_a_metaclass():
    class Checking(type):
        known = {int}  # noqa: RUF012

        def __instancecheck__(cls, value):
            return type(value) in cls.known

    cls = class_of(Checking)

    def change():
        Checking.known.add(float)

    return lambda x: x * (2.0 if isinstance(1.0, cls) else 1.0), change


@seen
def subclass_hook():
    import abc

    class Base(abc.ABC):  # noqa: B024
        pass

    class Other:
        pass

    s = Other()

    def change():
        Base.register(Other)

    return lambda x: x * (2.0 if isinstance(s, Base) else 1.0), change


@seen
def subclasses_of_a_class():
    class Base:
        pass

    kept = []

    def change():
        kept.append(type("Derived", (Base,), {}))

    return lambda x: x * (1.0 + len(Base.__subclasses__())), change


@seen
def dict_of_a_class():
    cls = class_of(type, value=1.0)

    def change():
        cls.value = 2.0

    return lambda x: x * cls.__dict__["value"], change


@seen
def attribute_of_a_class_by_getattr():
    cls = class_of(type, value=1.0)

    def change():
        cls.value = 2.0

    return lambda x: x * getattr(cls, "va" + "lue".lower()), change


@seen
def vars_of_a_class():
    cls = class_of(type, value=1.0)

    def change():
        cls.value = 2.0

    return lambda x: x * vars(cls)["value"], change


@seen
def class_through_type():
    cls = class_of(type, value=1.0)
    s = cls()

    def change():
        cls.value = 2.0

    return lambda x: x * type(s).value, change


@seen
def value_of_an_enum_member():
    class Mode(enum.Enum):
        ONE = 1.0

    def change():
        Mode.ONE._value_ = 2.0

    return lambda x: x * Mode.ONE.value, change


@seen
def attribute_of_an_enum_member():
    class Mode(enum.Enum):
        ONE = 1.0

    Mode.ONE.scale = 1.0

    def change():
        Mode.ONE.scale = 2.0

    return lambda x: x * Mode.ONE.scale, change


@seen
def enum_member_by_value():
    class Mode(enum.Enum):
        ONE = 1
        TWO = 2

    Mode.ONE.scale, Mode.TWO.scale = 1.0, 3.0

    def change():
        Mode.ONE.scale = 2.0

    return lambda x: x * Mode(1).scale, change


@seen
def enum_member_by_name():
    class Mode(enum.Enum):
        ONE = 1
        TWO = 2

    Mode.ONE.scale, Mode.TWO.scale = 1.0, 3.0

    def change():
        Mode.ONE.scale = 2.0

    return lambda x: x * Mode["O" + "NE".upper()].scale, change


@seen
def enum_members_iterated():
    class Mode(enum.Enum):
        ONE = 1.0
        TWO = 2.0

    def change():
        Mode.TWO._value_ = 5.0

    return lambda x: x * sum(m.value for m in Mode), change


@seen
def enum_member_map():
    class Mode(enum.Enum):
        ONE = 1.0
        TWO = 2.0

    def change():
        Mode._member_map_["ONE"] = Mode.TWO

    return lambda x: x * Mode["ONE"].value, change


@seen
def enum_method():
    class Mode(enum.Enum):
        ONE = 1.0

        def factor(self):
            return TABLE[self]

    TABLE = {Mode.ONE: 1.0}
    return lambda x: x * Mode.ONE.factor(), lambda: TABLE.update({Mode.ONE: 2.0})


@seen
def property_is_replaced():
    class Proper:
        @property
        def value(self):
            return 1.0

    s = Proper()

    def change():
        Proper.value = property(lambda self: 2.0)

    return lambda x: x * s.value, change


@seen
def descriptor_with_state():
    class Descriptor:
        def __init__(self):
            self.held = 1.0

        def __get__(self, instance, owner):
            return self.held

    d = Descriptor()
    cls = class_of(type, value=d)
    s = cls()

    def change():
        d.held = 2.0

    return lambda x: x * s.value, change


@seen
def descriptor_by_instance():
    class Descriptor:
        def __set_name__(self, owner, name):
            self.name = "_" + name

        def __get__(self, instance, owner):
            return getattr(instance, self.name)

    cls = class_of(type, value=Descriptor())
    s = cls()
    s._value = 1.0

    def change():
        s._value = 2.0

    return lambda x: x * s.value, change
