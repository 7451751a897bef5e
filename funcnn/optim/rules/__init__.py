"""Update rules: how parameters follow a gradient."""
