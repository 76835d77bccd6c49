"""Attributes computed when they are first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def lazily(owner: type[T]) -> type[T]:
    """Mark a class that has lazy attributes: a decorated class keeps its `__dict__` when its module is compiled."""
    return owner


class lazy(Generic[T]):  # noqa: N801 - reads as a decorator, like property
    """An attribute computed when first asked for. `functools.cached_property` takes a lock on every first access."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = ""
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> lazy[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> lazy[T] | T:
        if owner is None:
            return self
        value = self._compute(owner)
        setattr(owner, self._name, value)
        return value
