"""The control plane under ``/__admin``: what was called, what comes next, and when it is.

``plane.ControlPlane`` is what the engine calls. Everything that takes time to
import, Connexion and Flask first of all, comes in when a control path is first
asked for, on a thread of its own.
"""
