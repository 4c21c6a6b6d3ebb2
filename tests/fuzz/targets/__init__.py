"""What is fuzzed, one module each.

``seeds()`` gives inputs to begin with; ``check(data)`` takes octets and raises for
a finding. ``control`` has a loop of its own instead, as its inputs are no octets.
"""
