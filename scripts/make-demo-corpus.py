#!/usr/bin/env python3
"""Creates the corpus of the demo: real prose, and two kinds of noise derived from it.

    pip install tokenizers
    make-demo-corpus.py PASSAGES TOKENIZER OUTPUT

PASSAGES   JSON lines with id, source and text; rows with a `kind` other than "real" are ignored, so the
           corpus itself can be the input; the output then equals it, byte for byte
TOKENIZER  a tokenizer.json whose id 0 is the document separator
OUTPUT     JSON lines with id, source, kind, text, tokens

Writes every passage unchanged (kind "real"). Writes every second passage two more times: with its words
in random order ("shuffled"), and with its tokens replaced by ids drawn uniformly from the vocabulary, from
which the text is decoded ("random"). Adds no prefix token.
"""

import json
import random
import sys

from tokenizers import Tokenizer

SEED = 20260101


def main(passages_path, tokenizer_path, output_path):
    tokenizer = Tokenizer.from_file(tokenizer_path)
    vocabulary = tokenizer.get_vocab_size()

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    with open(passages_path, encoding="utf-8") as lines:
        passages = [p for p in map(json.loads, lines) if p.get("kind", "real") == "real"]

    rows = [row(p, "real", p["text"], encode(p["text"])) for p in passages]
    for p in passages[::2]:
        words = p["text"].split()
        random.Random(f"{SEED} shuffled {p['id']}").shuffle(words)
        text = " ".join(words)
        rows.append(row(p, "shuffled", text, encode(text)))
    for p in passages[::2]:
        draw = random.Random(f"{SEED} random {p['id']}")
        tokens = [draw.randrange(1, vocabulary) for _ in encode(p["text"])]
        # Some tokens are control characters or parts of UTF-8 characters: a terminal cannot display them.
        text = "".join(c if c.isprintable() else "\ufffd" for c in tokenizer.decode(tokens))
        rows.append(row(p, "random", text, tokens))

    with open(output_path, "w", encoding="utf-8", newline="\n") as out:
        for r in rows:
            out.write(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n")


def row(passage, kind, text, tokens):
    suffix = "" if kind == "real" else "~" + kind
    return {
        "id": passage["id"] + suffix,
        "source": passage["source"],
        "kind": kind,
        "text": text,
        "tokens": tokens,
    }


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
