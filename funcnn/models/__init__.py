"""Ready models: plain functions that return a layer, made of the library's layers and combinators."""
