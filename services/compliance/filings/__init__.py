"""Reports to the authorities: what they say, when they are due, the XML that FinCEN's e-filing system takes. Pure.

    sar.py          a suspicious activity report (FinCEN Form 111, 31 CFR 1020.320 and 1022.320)
    ctr.py          a currency transaction report (FinCEN Form 112, 31 CFR 1010.311)
    efiling.py      parties, addresses and identifications as both forms write them
    narrative.py    the story of a report, in parts as long as the form takes them
    deadlines.py    when each is due
    drafts.py       what a report begins with: as much of it as is known

Whether a report exists is nobody's to know but those who work on it (31 U.S.C. 5318(g)(2)).
"""
