"""Checks of parameters: the message names the parameter, what was expected and what was given."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_LARGEST = torch.finfo(torch.float32).max

P = ParamSpec("P")
Result = TypeVar("Result")


def check_int(name: str, value: Any, *, least: int) -> int:
    """The integer as Python's, which does not overflow; NumPy's are integers, a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) < 2**63:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
    return int(value)


def check_number(name: str, value: Any, *, positive: bool = False, signed: bool = False) -> float:
    """A finite number of single precision, not negative; ``positive``: nor zero; ``signed``: of any sign."""
    real = isinstance(value, Real) and not isinstance(value, bool) and abs(value) <= _LARGEST  # type: ignore[operator]
    if not real or (value < 0 and not signed) or (positive and value == 0):
        kind = "" if signed else "positive " if positive else "non-negative "
        raise ValueError(f"{name}: expected a finite {kind}number, got {value!r}")
    return float(value)


def plain_parameters(estimator: BaseEstimator) -> None:
    """Make NumPy's numbers among the parameters Python's, which do not overflow."""
    for name, value in estimator.get_params(deep=False).items():
        if isinstance(value, np.generic):
            setattr(estimator, name, value.item())


def check_lengths(name: str, value: Any, *, least: int) -> None:
    """Refuse what is no pair of integers, the first at least ``least`` and the second no smaller."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name}: expected two numbers of frames, got {value!r}")
    check_int(f"{name}[0]", value[0], least=least)
    check_int(f"{name}[1]", value[1], least=value[0])


def check_choice(name: str, value: Any, allowed: Collection[str]) -> None:
    """Refuse what is not one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: expected one of {tuple(allowed)}, got {value!r}")


def check_size(name: str, value: Any, most: int) -> int:
    """Refuse what is no integer from 1 to ``most``, the number of features d."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= int(value) <= most:
        raise ValueError(f"{name}: expected 1 <= {name} <= d = {most}, got {value!r}")
    return int(value)


def real_tensor(value: Any, name: str) -> Tensor:
    """Real numbers as a floating-point tensor; whole numbers and long doubles become double precision."""
    if isinstance(value, Tensor):
        tensor = value
    elif np.ma.is_masked(value):
        raise ValueError(f"{name}: expected numbers without holes, got masked entries")
    else:
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as error:
            kind = type(value).__name__
            raise ValueError(
                f"{name}: expected real numbers, got {kind}: rows of different lengths, or no numbers"
            ) from error
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name}: expected real numbers, got {type(value).__name__} of {array.dtype}")
        single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
        # A copy: torch cannot view what is read-only, of negative strides or of foreign byte order.
        with np.errstate(over="ignore"):  # a long double that is too large is an infinity
            tensor = torch.from_numpy(np.array(array, array.dtype.newbyteorder("=") if single else float))
    if tensor.is_complex() or tensor.is_quantized or tensor.is_meta or tensor.layout != torch.strided:
        raise ValueError(
            f"{name}: expected a dense array of real numbers, got {tensor.dtype} {tensor.layout}"
        )
    return tensor if tensor.is_floating_point() else tensor.double()


def takes_reals(
    *names: str, axes: int = 2, finite: bool = False
) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Let a function take arrays, lists and any real type where it computes with tensors.

    The named arguments become tensors of one type, of at least single precision; what is no dense array of
    real numbers of at least ``axes`` axes, or with ``finite`` holds a NaN or an infinity, is refused by name.
    """

    def checked(value: Any, name: str) -> Tensor:
        plain = type(value) is Tensor and value.dtype in (torch.float32, torch.float64)
        if not plain or value.layout != torch.strided or value.is_meta:
            value = real_tensor(value, name)
            value = value if value.dtype == torch.float64 else value.float()
        if value.ndim < axes:
            raise ValueError(f"{name}: expected {axes} axes or more, got shape {tuple(value.shape)}")
        if finite and not bool(value.detach().isfinite().all()):
            raise ValueError(f"{name}: holds a NaN or an infinity")
        return value

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        parameters = signature(function).parameters
        places = {name: list(parameters).index(name) for name in names}
        left_out = {name for name in names if parameters[name].default is None}

        @wraps(function)
        def taking_reals(*args: P.args, **kwargs: P.kwargs) -> Result:
            given: dict[Any, Any] = dict(enumerate(args)) | kwargs
            tensors = {}
            for name, place in places.items():
                key = name if name in kwargs else place
                if key in given and not (given[key] is None and name in left_out):
                    tensors[key] = checked(given[key], name)
            if len({value.dtype for value in tensors.values()}) > 1:
                tensors = {key: value.double() for key, value in tensors.items()}
            given |= tensors
            return function(*(given[i] for i in range(len(args))), **{name: given[name] for name in kwargs})

        return taking_reals

    return decorate
