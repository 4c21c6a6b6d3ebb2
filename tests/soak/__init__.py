"""Whether every resource goes through the sequence that its scenario allows, whatever breaks on the way.

Clients poll keys of a server of several workers on one Redis and write down
every answer, while Redis is restarted and workers are killed. The judge knows
the scenarios and what the clients wrote, nothing else.
"""
