"""Words that say little about who someone is: legal forms, titles, particles. Pure data, with what each is worth.

A word's worth is its share of the weight that a word of a rare name has. None of these is worth
nothing: "CORP" against "CORP" is still better than against something else; but no name that has
only such words can be told from its many bearers (see `index.py`).
"""

from enum import StrEnum
from types import MappingProxyType

WORTH_OF_LEGAL_FORM = 0.10
WORTH_OF_TITLE = 0.10
WORTH_OF_PARTICLE = 0.12
WORTH_OF_COMMON_WORD = 0.45


class WordKind(StrEnum):
    """What a word of a name is."""

    NAME = "name"
    INITIAL = "initial"
    LEGAL_FORM = "legal_form"
    TITLE = "title"
    PARTICLE = "particle"
    COMMON = "common"
    """A trade or a thing: part of thousands of companies' names."""


LEGAL_FORM_PHRASES = MappingProxyType(
    {
        "limited liability company": "llc",
        "limited liability partnership": "llp",
        "public limited company": "plc",
        "private limited": "ltd",
        "pvt ltd": "ltd",
        "pty ltd": "ltd",
        "sdn bhd": "ltd",
        "closed joint stock company": "zao",
        "open joint stock company": "oao",
        "public joint stock company": "pao",
        "joint stock company": "ao",
        "obshchestvo s ogranichennoi otvetstvennostyu": "ooo",
        "obshchestvo s ogranichennoy otvetstvennostyu": "ooo",
        "tovarystvo z obmezhenoyu vidpovidalnistyu": "tov",
        "gesellschaft mit beschrankter haftung": "gmbh",
        "sociedad anonima": "sa",
        "sociedad anonima de capital variable": "sa",
        "s a de c v": "sa",
        "sa de cv": "sa",
        "societe anonyme": "sa",
        "societe a responsabilite limitee": "sarl",
        "free zone company": "fze",
        "free zone establishment": "fze",
        "c a": "ca",
        "sociedad limitada": "sl",
        "sociedad por acciones simplificada": "sas",
        "sociedad de responsabilidad limitada": "srl",
        "societa per azioni": "spa",
        "societa a responsabilita limitata": "srl",
        "societatea cu raspundere limitata": "srl",
        "societate cu raspundere limitata": "srl",
        "sp z o o": "spzoo",
        "sp zoo": "spzoo",
        "spolka z ograniczona odpowiedzialnoscia": "spzoo",
        "spolecnost s rucenim omezenym": "sro",
        "drustvo s ogranicenom odgovornoscu": "doo",
        "naamloze vennootschap": "nv",
        "besloten vennootschap": "bv",
        "kabushiki kaisha": "kk",
        "anonim sirketi": "as",
        "limited sirketi": "ltd",
        "aktsionernoe obshchestvo": "ao",
        "aktsionernoye obshchestvo": "ao",
        "zakrytoe aktsionernoe obshchestvo": "zao",
        "otkrytoe aktsionernoe obshchestvo": "oao",
        "publichnoe aktsionernoe obshchestvo": "pao",
        "l l c": "llc",
        "s a": "sa",
        "e u": "eu",
    }
)
"""Legal forms of several words, and the abbreviation that stands for each."""

_LEGAL_FORMS = """
ag ao as asa ab aktiengesellschaft anstalt bhd bv bvba ca cia co company companies corp corporation cv de dmcc doo eirl
est establishment eurl eu fzc fzco fze gmbh gie group holding holdings inc incorporated jsc jsv kft kg kk lda limited
limitada llc llp lp ltd ltda mbh nv oao ojsc ood ooo oy oyj pao pjsc plc pt pte pty pvt rl sa sac sae sal saoc saog
sapi sarl sas scs se sl slp snc soc sociedad societe spa spc sprl spol spzoo srl sro stiftung tov trust unlimited
wll zao
"""

_TITLES = """
mr mrs ms miss mister dr prof professor sir lord lady dame madam madame monsieur herr frau senor senora don dona
haji hajji hadji hajj hadj mullah mulla molla mawlawi maulavi maulvi mawlana maulana mufti qari sheikh shaikh shaykh
cheikh sheik sayyid sayyed seyed seyyed sayed syed ayatollah ustad ustaz engineer eng ing gen
brigadier colonel col major maj captain capt lieutenant lt commander commandant president minister governor chief
jr sr junior senior ii iii iv phd md esq
mv mt fv ss
"""

_PARTICLES = """
al el ul al as ash ar ad an at az bin ibn ben bint binti ould wuld uld van von der den de del della di da do dos das du
la le les los las lo and the of for fur und et ter ten zu zur af av ap
"""

_COMMON = """
international general trading trade import export imports exports commercial commerce enterprise enterprises industry
industries industrial services service bank banque banco finance financial investment investments shipping lines line
marine maritime transport transportation logistics airlines airline air airways aviation construction engineering
development technology technologies tech systems system solutions consulting management agency organization
organisation foundation institute center centre ministry national new first oil gas petroleum energy power electric
chemical steel metal mining gold exchange money real estate property properties food foods farm auto cars hotel hotels
restaurant resort travel tourism pharmaceutical pharma medical health textile fashion media communications comercial
comercializadora inversiones constructora inmobiliaria grupo agropecuaria distribuidora servicios transportes
compania empresa industrias asesorias importadora exportadora party front army movement committee council association
society union federation office bureau department company club global world east west north south united europe
european asia asian africa african america american caribbean pacific atlantic gulf arabian eurasia eurasian
"""

KINDS = MappingProxyType(
    {
        **dict.fromkeys(_COMMON.split(), WordKind.COMMON),
        **dict.fromkeys(_LEGAL_FORMS.split(), WordKind.LEGAL_FORM),
        **dict.fromkeys(_TITLES.split(), WordKind.TITLE),
        **dict.fromkeys(_PARTICLES.split(), WordKind.PARTICLE),
    }
)
"""What a normalised word is, if it is none of those that make a name."""

_SAME_FORM = {
    "company": "co",
    "companies": "co",
    "cia": "co",
    "corporation": "corp",
    "incorporated": "inc",
    "limited": "ltd",
    "limitada": "ltda",
    "establishment": "est",
    "holdings": "holding",
    "aktiengesellschaft": "ag",
}
SAME = MappingProxyType(
    {
        **_SAME_FORM,
        "organisation": "organization",
        "centre": "center",
        "technologies": "technology",
        "tech": "technology",
        "industries": "industry",
        "enterprises": "enterprise",
        "services": "service",
        "imports": "import",
        "exports": "export",
        "investments": "investment",
        "airlines": "airline",
        "airways": "airline",
        "intl": "international",
    }
)
"""Words that are only another way to write one."""
