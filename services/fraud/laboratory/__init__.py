"""Where rules and models are tried and made: files of known payments through the live decisions.

transactions ─► replay ─┬─► scoring ─► training     a score for each, or a model
                        └─► backtest ─► report      how well rules and a model did
"""
