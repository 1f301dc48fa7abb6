"""The shape vocabulary that every signature uses.

`dof` is the number of coordinates of one point, flat. Numerical code carries *lanes* (many
points at once) as trailing axes: an array documented as `"dof *lanes"` is one point when `lanes`
is empty and a block of points, coordinates first, otherwise. Numpy broadcasting then lets the
same text serve both (`core/_lanes.py` says why the lanes come last).
"""

from jaxtyping import Array, Bool, Float, Int, Key, Num

Point = Float[Array, " dof"]
Block = Float[Array, "dof *lanes"]
Value = Float[Array, "*lanes"]
Flag = Bool[Array, "*lanes"]
Count = Int[Array, "*lanes"]
PRNGKey = Key[Array, ""]
Scalar = Float[Array, ""]

__all__ = [
    "Array",
    "Block",
    "Bool",
    "Count",
    "Flag",
    "Float",
    "Int",
    "Key",
    "Num",
    "PRNGKey",
    "Point",
    "Scalar",
    "Value",
]
