"""What meets other libraries, with these installed: run by ``.ci/ecosystem``, in an environment of its own."""
