"""By when reports must be filed. Pure.

Days are calendar days unless said otherwise, and days of the United States' east, where reports are due.
"""

from datetime import date, timedelta

from services.compliance.domain.business_days import REPORT_BUSINESS_DAYS, after_business_days
from services.compliance.filings.efiling import InstitutionKind

SAR_DAYS = 30
"""After the day of detection: 31 CFR 1020.320(b)(3), for money services businesses 1022.320(b)(3)."""
SAR_DAYS_WITHOUT_SUSPECT = 60
"""If nobody is suspected yet, banks, casinos and dealers in securities may take 30 days more to find out who; in no
case longer: 31 CFR 1020.320(b)(3), 1021.320(b)(3), 1023.320(b)(3). Money services businesses have no such time."""
MAY_SEEK_SUSPECT = frozenset({InstitutionKind.BANK, InstitutionKind.CASINO, InstitutionKind.SECURITIES})
REVIEW_DAYS = 90
"""Activity that goes on is looked at every 90 days …"""
CONTINUING_DAYS = 120
"""… and reported again within 120 days of the report before (FinCEN, SAR Activity Review 21, 2012)."""
CTR_DAYS = 15
"""After the day of the transactions: 31 CFR 1010.306(a)(1)."""
ANNUAL_REPORT_MONTH, ANNUAL_REPORT_DAY = 9, 30
"""Blocked property held on 30 June is reported by 30 September of each year: 31 CFR 501.603(b)(2)."""


def sar_due_on(detected_on: date, *, is_suspect_known: bool, by: InstitutionKind | None) -> date:
    """The last day for the first report of an activity. `by`: what files it; None, the shorter time, if nobody says."""
    days = SAR_DAYS if is_suspect_known or by not in MAY_SEEK_SUSPECT else SAR_DAYS_WITHOUT_SUSPECT
    return detected_on + timedelta(days=days)


def review_due_on(filed_on: date) -> date:
    """By when activity that was reported is looked at again."""
    return filed_on + timedelta(days=REVIEW_DAYS)


def continuing_sar_due_on(filed_on: date) -> date:
    """The last day for the next report of an activity that goes on, after the one filed on a day."""
    return filed_on + timedelta(days=CONTINUING_DAYS)


def ctr_due_on(transacted_on: date) -> date:
    """The last day for a report on the cash of a day."""
    return transacted_on + timedelta(days=CTR_DAYS)


def blocked_report_due_on(blocked_on: date) -> date:
    """The last day for a report on property blocked, or a transfer rejected, on a day: ten business days, 31 CFR
    501.603(b)(1)(i) and 501.604(c)."""
    return after_business_days(blocked_on, REPORT_BUSINESS_DAYS)


def annual_report_due_on(today: date) -> date:
    """The last day for the next yearly report of what is held blocked."""
    this_year = date(today.year, ANNUAL_REPORT_MONTH, ANNUAL_REPORT_DAY)
    return this_year if today <= this_year else this_year.replace(year=today.year + 1)
