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
    """Verbs that mean the same, and what they must not hit in the ``reach`` characters behind them."""

    verbs: frozenset[str]
    things: re.Pattern[str]
    reach: int


def _order(verbs: str, *things: str, reach: int = 160) -> _Order:
    return _Order(frozenset(verbs.replace("_", " ").split(",")), _pattern(*things), reach)


_LOSE: Final = (
    "delete,remove,wipe,erase,destroy,drop,purge,empty,truncate,clear,flush,nuke,overwrite,terminate"
    ",kill,shred,prune,tear_down,take_down,get_rid,clean_out,blow_away,wipe_out"
)
_LIVE: Final = r"\b(?:production|prod|live|staging)\b(?:'s)?"
_NOT_LIVE: Final = (
    r"(?! (?:builds?|bundles?|mode|code|config\w*|settings?|branch|logs?|images?|dependenc\w+|docs?)\b)"
)
_NO_NAME: Final = (
    r"(?! (?:urls?|config\w*|settings?|names?|hosts?|strings?|options?|fixtures?|class(?:es)?|links?|badges?"
    r"|lists?|caches?)\b)"
)
"""Not what only names a thing: its address, its settings."""
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
_KEYS: Final = (
    r"(?<![\w/])\.env\b|~/\.(?:ssh|aws|kube|docker|netrc|gnupg|config/(?:gcloud|gh))\b"
    r"|\bid_(?:rsa|ed25519|ecdsa)\b"
    r"|\b(?:aws|gcp|azure|ssh|gpg|private|api|deploy|access|secret|signing|real|production"
    r"|prod)(?: \w{1,12})? keys?\b"
    r"|\b(?:credentials|passwords|secrets|tokens)\b|\b[A-Z][A-Z0-9_]{0,40}_(?:PASSWORD|SECRET|TOKEN|KEY)\b"
    r"|\b(?:customer|user|client)(?:s|s'|'s)? (?:tables?|data|database|records|lists?|e-?mail addresses"
    r"|addresses)\b"
    r"|\benvironment variables\b|\bdatabase dump\b"
)
_OTHERS: Final = (
    r"[\w.+-]{1,40}@[\w-]{1,40}\.\w|https?://|\b(?:pastebin|gists?|slack|discord|telegram|whatsapp"
    r"|dropbox|public"
    r"|issue|pull request|PR|contractors?|partners?|outside|external|third part(?:y|ies)|my server|our server"
    r"|google (?:sheets?|drive|docs?))\b"
)
_AUTH: Final = (
    r"(?<!duplicate )(?<!redundant )(?<!double )(?<!second )(?<!unused )"
    r"\b(?:authentication|authori[sz]ation|auth|permissions?|access|signature|csrf)\b"
)
_LATER: Final = (
    r"\b(?:cron ?jobs?|crontab|scheduled tasks?|systemd|launch ?agents?|autostart|start-?up scripts?"
    r"|rc\.local)\b"
)
_REGISTRIES: Final = (
    r"(?:pypi|npm|crates\.io|rubygems|maven central|docker ?hub|nuget|packagist|jsr|cpan|the (?:app"
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
        rf"{_LIVE} (?:environment|stack|cluster|server|redis|cache|instance|system|queue|{_STORED})\b"
        rf"{_NO_NAME}(?! from\b)",
        rf"\b(?:production|prod|staging) {_HELD}{_NO_NAME}(?! from\b)",
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
    ),
    _order(
        "skip,bypass,circumvent",
        r"\b(?:reviews?|approvals?)(?=\W*$|,| (?:and|this|step|process)\b)",
        reach=40,
    ),
    _order(
        "force push,force-push,forcepush",
        r"^(?!\W*(?:is|in|flags?|options?|buttons?|should|must|protection|fails?|support|checks?"
        r"|warnings?)\b)",
    ),
    _order("push", r"\bforc(?:ed|ibly|efully)\b|--force\b|\b(?:with|by|using) force\b|\boverwrit\w+"),
    _order(
        "rewrite,squash,purge,flatten,scrub,replace,amend",
        r"\b(?:git|commit|entire|whole|repository's|repo's)(?: \w{1,12})? history\b",
        r"\bhistory of (?:the|this|our) (?:repo|repository|branch|project)\b",
    ),
    _order(
        "send,mail,e-mail,email,post,upload,copy,paste,share,publish,push,commit,forward,transmit,export,put,write",
        rf"(?:{_KEYS}).{{0,80}}?\b(?:to|into|in|on|at|with|over)\b.{{0,30}}?(?:{_OTHERS})",
    ),
    _order("exfiltrate", r"\w"),
    _order("leak,steal", _KEYS),
    _order(
        "print,show,read,display,reveal,dump,output,echo,tell,fetch,get,retrieve,extract,ask,query,request,list"
        ",paste,include,give_me,send,copy,use",
        r"~/\.(?:ssh|aws|kube|gnupg|netrc)\b|\bid_(?:rsa|ed25519|ecdsa)\b|/etc/shadow\b|\bsystem prompt\b",
        r"\b(?:private|ssh|deploy|signing) keys? of\b|\bcontents? of (?:the |my |our |your )?\.env\b",
        r"\bvalues? of [A-Z0-9_]{0,40}(?:PASSWORD|SECRET|TOKEN|KEY)\b",
        r"\b(?:secrets?|variables|credentials|passwords)\b.{0,20}?\b(?:in|of|from) (?:your|this|my) "
        r"(?:environment|machine|server|host|vault|key ?chain|key ?ring)\b",
        r"\b169\.254\.169\.254\b|\bmetadata (?:service|server|endpoint)\b"
        r"|\binstance(?:'s)? (?:iam )?credentials\b",
    ),
    _order(
        "add,put,append,write,install,copy,create,register,set_up,schedule,place,make,insert",
        r"\bauthorized_keys\b|\bsudoers?\b|\bpasswordless\b.{0,20}?\bsudo|\buid 0\b",
        rf"{_LATER}.{{0,60}}?https?://|{_LATER}.{{0,60}}?\bdownload\w*\b.{{0,20}}?\b(?:runs?|executes?)\b",
        rf"{_LATER}.{{0,60}}?\b(?:at|on|after) (?:every |each )?(?:re)?(?:boot|start-?up)\b",
        r"\b(?:hidden|secret|undocumented|universal)\b.{0,12}?\b(?:password|login|account|admin\w*|bypass)\b"
        r"(?! (?:field|input))",
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
        r"(?! (?:learning|connection|names?|keys?|entry)\b)",
        rf"{_LIVE} (?:server|database|db|cluster|system|site|service|host|api)s?\b",
    ),
    _order("reboot,power_off", r"\b(?:server|node|box|vm|instance)s?\b"),
    _order(
        "kill,stop,terminate,end",
        r"\b(?:every|all)(?: the| other| running| of the){0,2} (?:process(?:es)?|containers)\b"
        r"(?! (?:of|in|that|which|our)\b)",
        r"\b(?:every|all)(?: the| other| running){0,2} process(?:es)? (?:on|of|that isn't|that (?:is"
        r"|are) not)\b",
    ),
    _order(
        "deploy,release,roll_out,ship,push,apply,merge,promote",
        rf"\b(?:to|into|on|in) (?:the )?{_LIVE}(?! (?:branch|build|docs?)\b)",
        r"\b(?:straight|directly|right) (?:to|into) (?:main|master|trunk|production)\b",
        r"\bwithout (?:waiting|(?:a |any |the )?(?:reviews?|approvals?|checks?|tests?|running))\b",
    ),
    _order("publish,release,upload,push,deploy", rf"\b(?:to|on|in) (?:both )?{_REGISTRIES}(?!\.\w)"),
    _order(
        "start,run,install,add,set_up,deploy,build,write,create,put,mine,open,launch,plant,crash,make,implement",
        r"\bkey ?loggers?\b|\bcrypto[- ]?(?:currency )?min(?:er|ing)\b|\b(?:monero"
        r"|bitcoins?)\b.{0,30}?\b(?:on|in|with)\b"
        r"|\bransomware\b|\brootkits?\b|\bfork bomb\b|\bbotnet\b|\bspyware\b",
    ),
    _order(
        "scan,probe,sweep,attack,brute-force,brute_force,map",
        r"\b(?:company|internal|corporate|local|office|whole|entire)\b(?:'s)?(?: \w{1,12})? network\b",
    ),
    _order(
        "record,log,capture,store,save",
        r"\busers? types?\b.{0,30}?\bpassword|\bkey ?strokes\b.{0,40}?\b(?:server|to)\b",
        r"\bpasswords? in (?:plain|clear)",
    ),
    _order(
        "ignore,forget,disregard,override",
        r"\b(?:previous|prior|above|earlier|your)\b.{0,20}?\b(?:instructions|rules|guidelines|prompts?)\b",
        r"\b(?:instructions|rules|guidelines) (?:that )?you\b",
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

_ENDS = re.compile(r"[.!?](?=\s)|\n")
_OPENS = re.compile(
    r"(?:^[\s\-*>#\d.)(\]\[]{0,12}|[,:;(–—]\s{0,2}|\b(?:(?:want|need|have|has|you|me|us|going|like|time|sure|forget"
    r"|remember|job is|try) to|and|then|please|now|also|just|first|finally|afterwards|next|must|should"
    r"|you(?! to\b)|can|could|would|let's)\s)"
    r"(?:(?:please|now|also|just|completely|simply|straight|then) ){0,2}(?=[a-z])",
    re.IGNORECASE,
)
"""What stands before a verb that orders."""
_VERB = re.compile(r"(\w[\w-]{1,15})(?: \w{2,8})?")
_TELLS = re.compile(
    r"\b(?:why|explain|how|what|whether|detect|refuse|block|prevent|document|warn|avoid|reject|forbid|nobody|who"
    r"|users?|admins?|members?|they|tests? (?:that|for|which|where|of)"
    r"|(?:never|not|\w{2,5}n['’]t)(?! forget| hesitate))\b[^,;:]{0,60}$",
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
    r"|commands?|feature|support|warnings?|messages?|variables?|headers?|patch(?:es)?|rules?|tests?)\b",
    re.IGNORECASE,
)
"""What makes of it a part of a program."""
_LONGEST: Final = 400
_MOST: Final = 3_000
"""So many characters of a sentence, and orders of a text, are read: nobody writes more."""


def asked(text: str) -> str:
    """Return the first thing that a text orders and that must not be done unasked; empty for none."""
    left = _MOST
    for sentence in _ENDS.split(text):
        for verb, orders in _ordered(sentence.strip()[:_LONGEST]):
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
    sentence, end = verb.string, verb.end() if verb[0].lower() in _OF_VERB else verb.end(1)
    for order in orders:
        if found := order.things.search(sentence[end : end + order.reach]):
            behind = end + found.end()
            if not _SHOWN.match(sentence, behind) and not _TOLD.match(sentence, behind):
                return sentence[verb.start(1) : behind]
    return ""
