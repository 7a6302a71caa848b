"""Writes Python values as libconfig text: dict is a group, list of dicts a list, else an array."""


def render(settings):
    """The text of a whole file."""
    return "".join(f"{name} = {_value(value, 0)};\n" for name, value in settings.items())


def _value(value, depth):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, dict):
        inside = " ".join(f"{name} = {_value(item, depth)};" for name, item in value.items())
        return "{ " + inside + " }"
    return _sequence(value, depth)


def _sequence(values, depth):
    if not any(isinstance(item, dict) for item in values):
        return "[ " + ", ".join(_value(item, depth) for item in values) + " ]"
    indent = "  " * (depth + 1)
    lines = ",\n".join(indent + _value(item, depth + 1) for item in values)
    return f"(\n{lines} )"
