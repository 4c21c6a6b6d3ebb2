"""The control plane under ``/__admin``: recorded calls, resources, clocks, documents and metrics.

The engine calls ``plane.ControlPlane``. The first control request starts a thread that imports
Connexion, Flask and the rest of this package.
"""
