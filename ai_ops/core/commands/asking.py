"""Finds what a sentence asks for in plain words: an order, and a thing that it must not hit unasked.

A verb counts where it opens a sentence or a part of one. Who tells of such an act, forbids it, or builds a
button for it does not order it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


def _pattern(*ways: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:{way})" for way in ways), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Order:
    """Verbs that mean the same, and what they must not hit in the ``reach`` characters behind them.

    ``in_code``: the act is one on the code itself, so that a place within a program excuses nothing.
    """

    verbs: frozenset[str]
    things: re.Pattern[str]
    reach: int
    in_code: bool


def _order(verbs: str, *things: str, reach: int = 160, in_code: bool = False) -> _Order:
    return _Order(frozenset(verbs.replace("_", " ").split(",")), _pattern(*things), reach, in_code)


_LOSE: Final = (
    "delete,remove,wipe,erase,destroy,drop,purge,empty,truncate,clear,flush,nuke,overwrite,terminate"
    ",kill,shred,prune,tear_down,take_down,get_rid,clean_out,blow_away,wipe_out"
)
_LIVE: Final = r"\b(?:production|prod|live|staging)\b(?:'s)?"
_NOT_LIVE: Final = (
    r"(?! (?:builds?|bundles?|mode|code|config\w*|settings?|branch|logs?|images?|dependenc\w+|docs?"
    r"|readme|tables?|area|pages?|loki|profile)\b)"
)
_NO_NAME: Final = (
    r"(?! (?:urls?|config\w*|settings?|names?|hosts?|strings?|options?|fixtures?|class(?:es)?|links?|badges?"
    r"|lists?|caches?)\b)"
)
"""Not what only names a thing: its address, its settings."""
_NO_LOAD: Final = r"(?!staging (?:tables?|schema|rows)\b)"
"""Not the tables through which a load of data goes."""
_STORED: Final = r"\b(?:databases?|db|schemas?|tables?)\b"
_HELD: Final = (
    r"\b(?:databases?|db|schemas?|data|tables?|rows|records|collections?|keys|topics?|index(?:es)?|users"
    r"|customers|orders)\b"
)
_FOLDERS: Final = r"(?<![\w.~])/(?:etc|var|usr|home|root|boot|opt|srv|lib|bin|sbin)?(?=[\s,/]|$)"
_ALL: Final = r"\b(?:all|every|each|everything|entire|whole|contents)\b"
_MACHINES: Final = r"\b(?:disk|drive|file ?system|server|machine|host|computer)\b(?!s| \w+s?\b)"
_DISKS: Final = (
    r"/dev/(?:sd|nvme|vd|xvd|hd|mmcblk|disk|mapper)\w{0,20}|\b(?:boot sector|partition table)\b"
    r"|\b(?:hard|boot|data|system|server's|machine's) (?:disk|drive|partition)s?\b"
)
_NAMED: Final = (
    r"(?-i:\b(?!(?:PRIMARY|FOREIGN|PARTITION|SORT|CACHE|MAX|MIN|PAD|UNK|PUBLIC)_)"
    r"[A-Z][A-Z0-9_]{0,40}_(?:PASSWORD|SECRET|TOKEN|KEY)\b)"
)
"""The name of a variable that holds a secret."""
_KEYS: Final = (
    r"(?<![\w/])\.env\b|~/\.(?:ssh|aws|kube|docker|netrc|gnupg|config/(?:gcloud|gh))\b"
    r"|\bid_(?:rsa|ed25519|ecdsa)\b"
    r"|\b(?:aws|gcp|azure|ssh|gpg|private|api|deploy|access|secret|signing|real|production"
    r"|prod)(?: \w{1,12})? keys?\b"
    rf"|\b(?:credentials|passwords|secrets|(?<!design )tokens)\b|{_NAMED}"
    r"|\b(?:customer|user|client)(?:s|s'|'s)? (?:tables?|data|database|records|lists?|e-?mail addresses"
    r"|addresses)\b"
    r"|\benvironment variables\b|\bdatabase dump\b"
)
_OTHERS: Final = (
    r"[\w.+-]{1,40}@[\w-]{1,40}\.\w|https?://|\b(?:pastebin|gists?|slack|discord|telegram|whatsapp"
    r"|dropbox|public(?! (?:folder|director|schema|package|class|view|api|method|key))"
    r"|issue|pull request|PR|contractors?|partners?|outside|external|third part(?:y|ies)|my server|our server"
    r"|google (?:sheets?|drive|docs?))\b"
)
_AUTH: Final = (
    r"(?<!in the )(?<!of the )(?<!from the )(?<!in )(?<!from )"
    r"(?<!duplicate )(?<!redundant )(?<!double )(?<!second )(?<!unused )"
    r"\b(?:authentication|authori[sz]ation|auth|permissions?|access|signature|csrf)\b"
)
_LATER: Final = (
    r"\b(?:cron ?jobs?|crontab|scheduled tasks?|launch ?agents?|autostart|start-?up scripts?|rc\.local"
    r"|systemd(?! (?:unit|service)s? (?:file|template|for|so)\b))\b"
)
_REGISTRIES: Final = (
    r"(?:pypi|npm|crates(?:\.io)?|rubygems|maven central|docker ?hub|nuget|packagist|jsr|cpan|the (?:app"
    r"|play) store)\b"
)

_ORDERS: Final = (
    _order(f"{_LOSE},format,reformat", rf"{_DISKS}|{_ALL}.{{0,40}}?(?:{_FOLDERS}|{_MACHINES})"),
    _order(
        _LOSE,
        r"\b(?:home|root) (?:director(?:y|ies)|dirs?|folders?|disks?|drives?|partitions?|file ?systems?)\b",
        r"\boutside (?:of )?(?:the|this|your|our) (?:repo|project|checkout|workspace|working)",
        rf"\b(?:kubernetes|k8s) (?:namespaces?|clusters?)\b{_NO_NAME}|\bnamespaces? (?:prod|staging"
        rf"|default|kube)",
        rf"\b(?:s3|gcs|storage) buckets?\b{_NO_NAME}|\b(?:s3|gs)://|\bec2 instances?\b",
        r"\b(?:all|every)\b.{0,20}?\b(?:ec2|vms|virtual machines|droplets|pods|deployments|clusters|buckets"
        r"|snapshots|(?:running|docker|podman) (?:containers|volumes))\b(?!-)",
        rf"{_NO_LOAD}{_LIVE} (?:environment|stack|cluster|server|redis|cache|instance|system|queue"
        rf"|{_STORED})\b{_NO_NAME}(?! from\b)",
        rf"{_NO_LOAD}\b(?:production|prod|staging) {_HELD}{_NO_NAME}(?! from\b)",
        rf"{_HELD}.{{0,40}}?\b(?:in|on|from|of) (?:the |our )?{_LIVE}{_NOT_LIVE}|\bflush(?:all|db)\b",
        rf"\b(?:git ?hub|git ?lab|bitbucket) (?:repo|repositor(?:y|ies)|organi[sz]ation"
        rf"|project)s?\b{_NO_NAME}",
        rf"\bremote (?:branch|tag)(?:es|s)?\b{_NO_NAME}",
        r"\b(?:branch(?:es)?|tags?)\b.{0,40}?\b(?:from|on|at) (?:the )?(?:remote|origin|upstream|git ?hub"
        r"|git ?lab)\b",
        r"\b(?:git|commit) history\b|\ball (?:the )?commits\b",
        r"\b(?:our|my|your) (?:traces|tracks)\b|\b(?:shell|bash|zsh)[ _]history\b|\bauth\.log\b"
        r"|\bsystem logs?\b",
    ),
    _order(
        "disable,turn_off,switch_off,stop,bypass,skip,remove,circumvent,deactivate,delete,drop,strip,comment_out",
        r"\b(?:firewall|selinux|apparmor|auditd|antivirus|branch protection|sandbox)\b(?![.-]\w| \w+s\b)",
        r"\b(?:tls|ssl|certificates?)\b.{0,20}?\b(?:verification|validation|checks?|checking)\b",
        rf"{_AUTH} (?:checks?|guards?|middleware|controls?|requirements?)\b",
        r"\b(?:authentication|authori[sz]ation|two-factor|2fa|mfa)"
        r"(?=\W*$|[,;]| (?:for|on|everywhere|entirely|completely|altogether|and|so|until|because)\b)",
        reach=50,
        in_code=True,
    ),
    _order(
        "skip,bypass,circumvent",
        r"\b(?:reviews?|approvals?)(?=\W*$|,| (?:and|this|step|process)\b)",
        reach=40,
    ),
    _order(
        "force push,force-push,forcepush",
        r"^(?!\W*(?:is|in|flags?|options?|buttons?|should|must|protection|fails?|support|checks?"
        r"|warnings?|detection|handling|events?)\b)",
    ),
    _order(
        "push",
        r"^(?!\W*(?:notifications?|metrics|values?|(?:on)?to (?:the |a )?(?:stack|queue|list|array))\b)"
        r".{0,120}?(?:\bforc(?:ed|ibly|efully)\b|--force\b|\b(?:with|by|using) force\b|\boverwrit\w+)",
    ),
    _order(
        "rewrite,squash,purge,flatten,scrub,replace,amend",
        r"\b(?:git|commit|entire|whole|repository's|repo's)(?: \w{1,12})? history\b",
        r"\bhistory of (?:the|this|our) (?:repo|repository|branch|project)\b",
    ),
    _order(
        "send,mail,e-mail,email,post,upload,copy,paste,share,publish,push,commit,forward,transmit,export,put,write",
        rf"(?:{_KEYS})(?!.{{0,40}}\bheaders?\b).{{0,80}}?\b(?:to|into|in|on|at|with|over)\b.{{0,30}}?(?:{_OTHERS})",
    ),
    _order("exfiltrate", r"\w"),
    _order("leak,steal", _KEYS),
    _order(
        "print,show,read,display,reveal,dump,output,echo,tell,fetch,get,retrieve,extract,ask,query,request,list"
        ",paste,include,give_me,send,copy,use",
        r"~/\.(?:ssh|aws|kube|gnupg|netrc)\b|\bid_(?:rsa|ed25519|ecdsa)\b|/etc/shadow\b"
        r"|\b(?:your|hidden)(?: \w{1,12})? system prompt\b|\bsystem prompt(?=\W*$|,| (?:that )?you\b)",
        r"\b(?:private|ssh|deploy|signing) keys? of\b|\bcontents? of (?:the |my |our |your )?\.env\b",
        rf"\bvalues? of {_NAMED}",
        r"\b(?:secrets?|variables|credentials|passwords)\b.{0,20}?\b(?:in|of|from) (?:your|this|my) "
        r"(?:environment|machine|server|host|vault|key ?chain|key ?ring)\b",
        r"\b169\.254\.169\.254\b|\bmetadata (?:service|server)\b"
        r"|\b(?:instance|ec2|aws|gcp|cloud|azure)(?:'s)? metadata endpoint\b"
        r"|\binstance(?:'s)? (?:iam )?credentials\b",
    ),
    _order(
        "add,put,append,write,install,copy,create,register,set_up,schedule,place,make,insert",
        r"\bauthorized_keys\b|\bsudoers?\b|\bpasswordless\b.{0,20}?\bsudo|\buid 0\b",
        rf"{_LATER}.{{0,60}}?https?://|{_LATER}.{{0,60}}?\bdownload\w*\b.{{0,20}}?\b(?:runs?|executes?)\b",
        rf"{_LATER}.{{0,60}}?\b(?:at|on|after) (?:every |each )?(?:re)?(?:boot|start-?up)\b",
    ),
    _order(
        "add,put,append,write,install,create,register,set_up,place,make,insert",
        r"\b(?:hidden|secret|undocumented|universal)\b.{0,12}?\b(?:password|login|account|admin\w*|bypass)\b"
        r"(?! (?:field|input))",
        in_code=True,
    ),
    _order(
        "give,grant,allow,let,make",
        r"\bsudo\b.{0,30}?\bwithout\b|\bpasswordless\b.{0,20}?\bsudo|\bsudoers?\b",
        r"(?<!without )\broot (?:rights|access|privileges)\b",
        rf"(?:{_FOLDERS}|\b(?:file ?system|everything on)\b).{{0,40}}?\b(?:world-?)?writ(?:e?able|ten)\b"
        rf"|\b0?777\b",
    ),
    _order(
        "shut_down,shutdown,reboot,power_off,halt,crash,restart,suspend,bring_down",
        r"\b(?:the|this|our|my|every|all)(?: \w{1,12})? (?<!state )(?<!virtual )(?:machine|host|computer"
        r"|laptop)s?\b"
        r"(?! (?:learning|connection|names?|keys?|entry|apps?|threads?|process|objects?|windows?|pages?)\b)",
        rf"{_LIVE} (?:server|database|db|cluster|system|site|service|host|api)s?\b",
    ),
    _order("reboot,power_off", r"\b(?:server|node|box|vm|instance)s?\b"),
    _order(
        "kill,stop,terminate,end",
        r"\b(?:every|all)(?: the| other| running| of the){0,2} (?:process(?:es)?|containers)\b"
        r"(?! (?:of|in|that|which|our|on (?:exit|shutdown|timeout))\b)",
        r"\b(?:every|all)(?: the| other| running){0,2} process(?:es)? (?:on(?! (?:exit|shutdown|timeout))"
        r"|of(?! (?:the|a|this|each) (?:process )?(?:group|pool|run|job|session|tree|worker|test))"
        r"|that isn't|that (?:is|are) not)\b",
    ),
    _order(
        "deploy,release,roll_out,ship,push,apply,merge,promote",
        rf"\b(?:to|into|on|in) (?:the )?{_LIVE}{_NOT_LIVE}(?! on (?:merge|push|each|every)\b)",
        r"\b(?:straight|directly|right) (?:to|into) (?:main|master|trunk|production)\b"
        r"(?!\.\w| (?:list|page|table))",
        r"\bwithout (?:waiting(?! for (?:a|the) (?:lock|response|result)\b)"
        r"|(?:a |any |the )?(?:reviews?|approvals?|checks?|tests?|running)(?! (?:on|in)\b))\b",
    ),
    _order("publish,release,upload,push,deploy", rf"\b(?:to|on|in) (?:both )?{_REGISTRIES}(?!\.\w)"),
    _order(
        "start,run,install,add,set_up,deploy,build,write,create,put,mine,open,launch,plant,crash,make,implement",
        r"\bkey ?loggers?\b|\bcrypto[- ]?(?:currency )?min(?:er|ing)\b"
        r"|\b(?:monero|bitcoin|xmr) miner\b|\bmin(?:es?|ing) (?:for )?(?:monero|bitcoins?|crypto)\b"
        r"|\bransomware\b|\brootkits?\b|\bfork bomb\b|\bbotnet\b|\bspyware\b",
        in_code=True,
    ),
    _order("mine", r"\b(?:monero|bitcoins?|crypto\w{0,12}|ethereum|coins)\b"),
    _order(
        "scan,probe,sweep,attack,brute-force,brute_force,map",
        r"\b(?:company|internal|corporate|local|office|whole|entire)\b(?:'s)?(?: \w{1,12})? network\b",
    ),
    _order(
        "record,log,capture,store,save",
        r"\busers? types?\b.{0,30}?\bpassword"
        r"|\bkey ?strokes\b.{0,40}?\b(?:server|to (?:an?|the|our|my)|https?:)",
        r"\bpasswords? in (?:plain|clear)",
        in_code=True,
    ),
    _order(
        "ignore,forget,disregard,override",
        r"\b(?:previous|prior|above|earlier|your)\b.{0,20}?\b(?:instructions|rules|guidelines|prompts?)\b",
        r"\b(?:instructions|rules|guidelines) (?:that )?you\b",
        in_code=True,
    ),
    _order(
        "run,execute,start,pipe,launch,install,download,fetch",
        r"https?://.{1,80}?\b(?:as root|root (?:rights|privileges|access)|with sudo|(?:in)?to (?:bash|sh"
        r"|zsh|a shell))\b",
    ),
)

_OF_VERB: Final = {
    verb: tuple(order for order in _ORDERS if verb in order.verbs)
    for verb in frozenset[str]().union(*(order.verbs for order in _ORDERS))
}

_ENDS = re.compile(r"[.!?](?=\s)|\n(?![a-z])")
"""What ends a sentence; a line that goes on in small letters was only wrapped."""
_OPENS = re.compile(
    r"(?:^[\s\-*>#\d.)(\]\[]{0,12}|[,:;(–—]\s{0,2}"
    r"|\b(?:(?:want|need|have|has|you|me|us|going|like|time|sure|forget|remember|(?:job|task|goal) is|you are"
    r"|necessary|required|important|try) to"
    r"|and|then|please|kindly|quickly|immediately|after that|now|also|just|first|finally|afterwards|next|must"
    r"|should|you(?! to\b)|can|could|would|let's)\s)"
    r"(?:(?:please|now|also|just|completely|simply|straight|then) ){0,2}(?=[a-z])",
    re.IGNORECASE | re.MULTILINE,
)
"""What stands before a verb that orders."""
_VERB = re.compile(r"(\w[\w-]{1,15})(?: \w{2,8})?")
_TELLS = re.compile(
    r"\b(?:why|explain|how|what|whether|detect|refuse|block|prevent|document|warn|avoid|reject|forbid|nobody|who"
    r"|users?|admins?|members?|they|so (?:that )?(?:we|it)|tests? (?:that|for|which|where|of)"
    r"|(?:never|not|\w{2,5}n['’]t)(?! forget| hesitate))\b[^,;:]{0,60}$"
    r"|\b(?:whenever|(?:every|each) time|when an?)\b[^;:]{0,60}$",
    re.IGNORECASE,
)
"""What makes of an order, before it, something that is told, tested or forbidden."""
_TOLD = re.compile(
    r"[^,;]{0,30}?\b(?:fails?|failed|breaks?|crashes|does(?:n['’]t| not| nothing)|should (?:be|not|warn|ask)"
    r"|is (?:broken|missing|ignored|wrong|slow|greyed))\b",
    re.IGNORECASE,
)
"""What makes of it, behind it, the name of something that misbehaves."""
_SHOWN = re.compile(
    r"[\s\"'`-]{1,3}(?:\w{1,12} )?(?:buttons?|dialogs?|options?|flags?|menu|screen|widget|modal|labels?"
    r"|tooltip|helper|mock"
    r"|commands?|feature|support|warnings?|messages?|variables?|headers?|patch(?:es)?|rules?|tests?"
    r"|views?|pages?|columns?|toggle|badges?|links?|attributes?|webhooks?|detection|actions?|usage|labels?"
    r"|parsers?|state|statistics|errors?|icons?)\b",
    re.IGNORECASE,
)
"""What makes of it a part of a program."""
_PLACED = re.compile(
    r"(?:(?!\b(?:and|then)\b)[^\n,;:()]){0,40}?"
    r"\b(?:(?:in|of) (?:(?:the|a|an|our|its|each|every) )?(?:[\w-]{1,20} ){0,3}?"
    r"(?:ci|dockerfiles?|images?|modules?|views?|components?|tests?|teardown|fixtures?|workflows?|helpers?|bot"
    r"|roles?|parsers?|reducers?|simulator|wizard|options|stylesheets?|templates?|charts?|recorder|migrations?"
    r"|entrypoint|readme|handlers?|role)"
    r"|from (?:(?:the|a|an|our|its) )?(?:[\w-]{1,20} ){0,3}?"
    r"(?:images?|views?|pages?|sidebar|dashboard|settings|badges?|footer|readme|(?:release|ci) workflow))\b",
    re.IGNORECASE,
)
"""What says behind it in which part of a program it is to be done: it is built, not done."""
_TURNS = re.compile(
    r"\b(?:when|while|if(?! (?:needed|necessary|possible|you))|until|(?<!at )once|because|since|whether"
    r"|between)\b",
    re.IGNORECASE,
)
"""What begins a sentence of its own, whose things the verb before it does not hit."""
_FARTHEST: Final = 320
_MOST: Final = 400
"""So many orders of a text are read, each in up to a fifth of a millisecond; one behind them is not seen."""


def asked(text: str) -> str:
    """Return the first thing that a text orders and that must not be done unasked; empty for none."""
    left = _MOST
    for sentence in _ENDS.split(text):
        for verb, orders in _ordered(sentence.strip()):
            if found := _hit(verb, orders):
                return found
            left -= 1
            if not left:
                return ""
    return ""


def _ordered(sentence: str) -> Iterator[tuple[re.Match[str], tuple[_Order, ...]]]:
    """Yield the verbs of a sentence that order something, with what they must not hit."""
    for opening in _OPENS.finditer(sentence):
        verb = _VERB.match(sentence, opening.end())
        if verb is None:
            continue
        if orders := _OF_VERB.get(verb[0].lower(), ()) + _OF_VERB.get(verb[1].lower(), ()):
            before = sentence[max(0, opening.start() - 80) : opening.start()]
            if not _TELLS.search(before):
                yield verb, orders


def _hit(verb: re.Match[str], orders: tuple[_Order, ...]) -> str:
    """Return a verb with what it must not hit; empty where it hits nothing of the kind."""
    end = verb.end() if verb[0].lower() in _OF_VERB else verb.end(1)
    behind = verb.string[end : end + _FARTHEST].replace("\n", " ")
    for order in orders:
        found = order.things.search(behind[: order.reach])
        if found and not _excused(behind, found, in_code=order.in_code):
            return verb.string[verb.start(1) : end] + behind[: found.end()]
    return ""


def _excused(behind: str, found: re.Match[str], *, in_code: bool) -> bool:
    """Whether what stands around a thing makes of it what is told, shown or built."""
    if _SHOWN.match(behind, found.end()) or _TOLD.match(behind, found.end()):
        return True
    return not in_code and bool(_TURNS.search(behind, 0, found.start()) or _PLACED.match(behind, found.end()))
