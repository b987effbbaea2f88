"""The travel rule: which data about both parties go with a payment that leaves the house or comes in, what of it is
missing, and the messages (IVMS101) in which institutions tell each other.
"""
