"""Both languages have every text, with the same places for values; every text is used, every used text exists.

usage: check_translations.py SOURCE_DIR
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])


def entries(path):
    # Our files use one line per string; anything else is an error here.
    text = path.read_text(encoding="utf-8")
    found = re.findall(r'^msgid "(\w+)"\nmsgstr "(.*)"$', text, re.M)
    assert text.count("\nmsgid ") == len(found) + 1, f"{path.name}: an entry that this check cannot read"
    assert "fuzzy" not in text, f"{path.name}: a fuzzy entry"
    assert len(dict(found)) == len(found), f"{path.name}: a key twice"
    return dict(found)


problems = []
catalogues = {language: entries(root / f"config/translations/{language}.po") for language in ("en", "sv")}
places = lambda text: sorted(re.findall(r"\{\w+\}", text))
for key in sorted(set(catalogues["en"]) | set(catalogues["sv"])):
    texts = [catalogue.get(key) for catalogue in catalogues.values()]
    if None in texts or "" in texts:
        problems.append(f"{key} is not in both languages")
    elif places(texts[0]) != places(texts[1]):
        problems.append(f"{key} has different places for values: {texts}")
    elif texts[0] == texts[1] and key != "DATE_LONG" and not key.startswith("MONTH_"):
        problems.append(f"{key} is the same in both languages: {texts[0]}")

used = set()
for path in (root / "config/templates").rglob("*.tpl"):
    used |= set(re.findall(r"\{\{T_(\w+)\}\}", path.read_text(encoding="utf-8")))
used |= {"DATE_LONG"} | {f"WEEKDAY_{i}" for i in range(1, 8)} | {f"MONTH_{i}" for i in range(1, 13)}
states = re.findall(r"\{\{#(\w+)\}\}", (root / "config/templates/page/page.html.tpl").read_text(encoding="utf-8"))
used |= {f"{state}_HEADING" for state in states if not state.startswith(("WITH", "SIGN_", "TRY_"))}
used |= {f"BANNER_{reason}" for reason in ("NOT_CONNECTED", "MAIL_ON_ITS_WAY", "IN_REVIEW")}  # daemon/render/banner.cpp
problems += [f"{key} is used and not translated" for key in sorted(used - set(catalogues["en"]))]
problems += [f"{key} is translated and not used" for key in sorted(set(catalogues["en"]) - used)]

print("\n".join(problems))
print(f"{len(catalogues['en'])} texts, {len(problems)} problems")
sys.exit(bool(problems))
