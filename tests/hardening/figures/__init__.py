"""The figures that the server is held to, one module each: ``run()`` measures and gives a Verdict."""
