"""Use cases: what people ask of the queue, one function each, shared by the command line and the Python API."""
