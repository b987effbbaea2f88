"""How large a rulebook and its parts may be. Pure.

Far above what analysts write, and far below what would hurt: a file beyond them is refused with a fault
that says so, before anything recurses or grows.
"""

FILE_BYTES_MAX = 128 * 1024
RULES_MAX = 500
LETS_MAX = 500
FAULTS_MAX = 200
"""Faults told of one file. Who made more repairs these first."""
NESTING_MAX = 32
"""Operations inside operations. Python's own compiler gives up at some two hundred parentheses."""
INLINE_PARENTHESES_MAX = 8
"""A let that is used once and isn't more involved than this is written where it is used."""
CHOICES_MAX = 200
"""Values in the brackets of one `in`, or of one function."""
NAME_LENGTH_MAX = 60
TEXT_LENGTH_MAX = 200
"""Of a quoted text: a meaning, a reason with its names in braces, or a value to compare with."""
REASON_LENGTH_MAX = 300
"""Of a reason with its values filled in; what is longer is cut."""
NUMBER_MAX = 1e15
"""Up to here floats tell whole numbers, and cents of them, apart."""
