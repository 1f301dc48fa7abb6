"""Make `from ._module import Name as Name` in an `__init__` a public name of the reference."""

import ast

import griffe


class Reexports(griffe.Extension):
    """Marks names that a package imports under their own name as public members of it."""

    def on_module_members(self, *, node, mod, **_):
        """Look for redundant aliases once the members of a module are known."""
        if not isinstance(node, ast.Module):
            return
        for statement in node.body:
            if isinstance(statement, ast.ImportFrom):
                for name in statement.names:
                    if name.asname == name.name and name.name in mod.members:
                        mod.members[name.name].public = True
