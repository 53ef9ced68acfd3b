"""What the words of queuectl mean: frozen data and enums, nothing that acts.

Data are msgspec structs rather than dataclasses, here and in the layers above: a dataclass writes and compiles its own
code whenever it is imported, which takes one or two milliseconds of the start of every command; a struct takes none.
"""
