"""Side by side with peers, on one machine, in one run: ``python -m benchmarks``.

Figures of different runs do not compare; ratios within one round do. So each
load is put on all servers one after the other before the next one follows,
round after round (A B C, B C A, C A B), one server process on one core with the
load on another. Ratios are of the same round, and a budget is judged by their
median and their spread.

A part of the run is a module: ``polls``, ``answers``, ``bodies``, ``starts``,
``first_requests``, ``many`` and ``sharing`` say what is measured. ``trial`` puts
loads on servers that ``bench`` starts, ``judging`` sees that answers are valid,
``budgets`` judges the figures, ``report`` prints and ``plot`` draws them.
"""
