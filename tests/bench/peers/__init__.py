"""Other servers for models, each with the gray model, in an environment of their own (`.clinai/bench/peers`)."""
