"""Monitoring: what money that has really moved says about those who moved it. Pure; decided after the fact.

movement ─► history of each side ─► scenarios, by the parameters in force then ─► findings ─► alerts ─► case
"""
