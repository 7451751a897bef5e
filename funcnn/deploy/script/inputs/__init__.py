"""What a script does with what it is given: these functions are copied into it as they are, with their checks."""
