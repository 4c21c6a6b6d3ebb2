"""Side by side with peers, on one machine, in one run: ``python -m benchmarks``.

Figures of different runs do not compare; ratios within one run do. So every
round starts each server anew, one after the other (A B C A B C), one server
process on one core with the load on another, and medians are taken over the
rounds: what drifts, drifts for all of them.

One module per benchmark (``mission``: the certificate request that this project
is about); the others measure, ``budgets`` judges and ``report`` prints.
"""
