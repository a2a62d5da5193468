"""Records values of lm-evaluation-harness for variants of the model tiny-books.

record.py scores     MODEL CASES OUTPUT   writes variants, pairs, rolling texts and multiple choice
record.py tokenizers MODEL CASES OUTPUT   appends what this version of transformers makes of a tokenizer

MODEL is the folder tiny-books, CASES the folder with rolling.jsonl, acc-norm.jsonl and
merged-continuation.jsonl. README.md in OUTPUT describes the files.
"""

import functools
import json
import logging
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import tokenizers
import tqdm
import transformers

tqdm.tqdm.__init__ = functools.partialmethod(tqdm.tqdm.__init__, disable=True)
logging.disable(logging.WARNING)
transformers.logging.set_verbosity_error()

EOT = "<|endoftext|>"
# An ordinary token of the vocabulary, without a leading space.
ROMEO = "ROMEO"
FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}
PLAIN = {"bos_token": EOT, "eos_token": EOT, **FAST}


def template(*parts):
    """Returns the post-processor that builds a text's tokens from parts: "A" is the text."""

    def piece(part, name):
        if part == "A":
            return {"Sequence": {"id": name, "type_id": 0}}
        return {"SpecialToken": {"id": part, "type_id": 0}}

    specials = sorted(set(parts) - {"A"})
    return {
        "type": "TemplateProcessing",
        "single": [piece(part, "A") for part in parts],
        "pair": [piece(part, "A") for part in parts] + [piece("A", "B")],
        "special_tokens": {token: {"id": token, "ids": [0], "tokens": [token]} for token in specials},
    }


def variant(name, config=None, post_processor=None, special_tokens_map=None, **tokenizer_config):
    """Describes a folder; a tokenizer_config of None has no such file."""
    files = {"tokenizer_config.json": tokenizer_config.get("only", {**PLAIN, **tokenizer_config})}
    if special_tokens_map:
        files["special_tokens_map.json"] = special_tokens_map
    return {"name": name, "config": config or {}, "files": files, "post_processor": post_processor}


ADDED_EOT = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
VARIANTS = [
    variant("plain"),
    variant(
        "disagrees",
        config={"bos_token_id": 5, "eos_token_id": 7},
        post_processor=template(EOT, "A"),
        bos_token=ROMEO,
        model_max_length=64,
    ),
    variant("template-eos", post_processor=template(EOT, "A", EOT)),
    variant("positions", config={"max_position_embeddings": 96}, model_max_length=64),
    variant("n-positions", config={"n_positions": 48, "max_position_embeddings": 96, "n_ctx": 40}),
    variant("n-ctx", config={"n_ctx": 40}, model_max_length=64),
    variant("length-huge", model_max_length=1e30),
    variant("length-null", model_max_length=None),
    variant("max-len", max_len=77),
    variant("special-map", bos_token="ab", special_tokens_map={"bos_token": ROMEO}),
    variant("special-map-alone", only={**FAST}, special_tokens_map={"bos_token": {"content": ROMEO, **ADDED_EOT}}),
    variant(
        "special-map-ignored",
        bos_token="ab",
        added_tokens_decoder={"0": {"content": EOT, "special": True, **ADDED_EOT}},
        special_tokens_map={"bos_token": ROMEO},
    ),
    variant("special-map-null", special_tokens_map={"bos_token": None}),
    variant("bos-object", bos_token={"__type": "AddedToken", "content": EOT, **ADDED_EOT}),
    variant("bos-object-without-type", bos_token={"content": EOT, **ADDED_EOT}),
    variant("bos-unknown", bos_token="<s>"),
    variant("bos-null", bos_token=None),
    variant("bos-absent", only={"eos_token": EOT, **FAST}),
    variant("bos-and-eos-absent", only={**FAST}),
    variant("no-class", only={}),
    variant("bos-absent-gpt-neox", only={"tokenizer_class": "GPTNeoXTokenizerFast"}),
    variant("no-file", only=None),
    variant("add-bos", add_bos_token=True),
    variant("add-eos", add_eos_token=True),
    variant("add-bos-false", add_bos_token=False, post_processor=template(EOT, "A")),
]

# Name, variant, and arguments of HFLM. add_bos_token=False makes the harness encode without special tokens.
SETTINGS = [
    ("plain", "plain", {}),
    ("plain/none", "plain", {"add_bos_token": False}),
    ("plain/16", "plain", {"max_length": 16}),
    ("plain/prefix", "plain", {"prefix_token_id": 9}),
    ("disagrees", "disagrees", {}),
    ("disagrees/none", "disagrees", {"add_bos_token": False}),
    ("disagrees/16", "disagrees", {"max_length": 16}),
    ("template-eos", "template-eos", {}),
    ("positions", "positions", {}),
]

LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of"
    " foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it"
    " was the season of Darkness, it was the spring of hope, it was the winter of despair, we had everything"
    " before us, we had nothing before us, we were all going direct to Heaven, we were all going direct the"
    " other way"
)
PAIRS = [
    ("It was the best of times, it was the worst", " of times"),
    ("It was the best of times, it was the worst", " of whales"),
    ("She opened the door and", " looked at him."),
    ("She opened the door and", " said:"),
    ("It was a", " little more than"),
    # White space at the end of a context.
    ("It was the best of ", "times"),
    ("It was the best of \n\u00a0", "times"),
    ("It was the best of\u2003\u0085", "times"),
    ("It was the best of\x1c", "times"),
    ("It was the best of\u200b", " times"),
    ("  ", "It was"),
    # Empty texts.
    ("", "It was the best of times"),
    ("", " It was"),
    ("", EOT + "The king said"),
    ("", EOT + EOT + "The king"),
    ("", EOT),
    ("", ROMEO + ": The king said"),
    ("", ROMEO),
    ("", ""),
    ("It was", ""),
    # A context that begins with the text of a prefix token, or a part of it.
    (EOT + "The king", " said"),
    (EOT, "The king said"),
    (ROMEO + ": The king", " said"),
    (ROMEO, ": The king said"),
    ("The king and " + ROMEO, " said"),
    ("<|endof", "text|> The king"),
    ("ROM", "EO said that"),
    # Texts that are not ASCII.
    ("Le caf\u00e9 est", " tr\u00e8s bon"),
    ("The cafe\u0301 is", " na\u00efve \U0001f600"),
    ("\u00e9", "\u0301"),
    # Contexts that are cut, and a continuation that is too long for one window.
    (LONG[:200], " despair"),
    (LONG, " \u2013 in short"),
    ("It was", LONG[6:]),
    ("It was the", " best of times, it was the worst of times, it was the age"),
]
CHOICES = [
    {"query": "The capital of France is", "choices": ["Paris", "a city", "not", "London, which is"], "gold": 3},
    {"query": "My dear Mr.", "choices": ["Darcy", "Bennet", "Collins, said she", "Rochester"], "gold": 0},
    {"query": "I have never", "choices": ["seen such a thing", "been", "a", "had"], "gold": 1},
    {"query": "Call me", "choices": ["Ishmael", "a", "mother", "an honest man"], "gold": 3},
    {"query": "The sun was", "choices": ["hot", "setting behind the hills", "a", "very bright"], "gold": 2},
    {"query": "The price was", "choices": ["5 \u20ac", "ten pounds", "\u00a35", "low"], "gold": 3},
    {"query": "To be, or not to be:", "choices": ["that is the question", "no", "the time", "what"], "gold": 0},
    {"query": "He said that he would", "choices": ["go", "not", "never come back", "be"], "gold": 1},
    {"query": "Good morning, said the", "choices": ["old man", "caf\u00e9 owner", "\U0001f600", "king"], "gold": 2},
]
ENCODED = ["cafe\u0301", EOT + "The", "my ROMEO"]


def build(model, description, folder):
    """Builds the folder of a variant from the model tiny-books."""
    folder.mkdir()
    os.symlink(model / "model.safetensors", folder / "model.safetensors")
    config = json.loads((model / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **description["config"]}))
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["post_processor"] = description["post_processor"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name, content in description["files"].items():
        if content is not None:
            (folder / name).write_text(json.dumps(content))
    return str(folder)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, records, mode="w"):
    with open(path, mode, encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")


def attempt(function):
    """Returns the function's value, or the statement of an assertion or another error that refused it."""
    try:
        return function()
    except AssertionError as error:
        return traceback.extract_tb(error.__traceback__)[-1].line
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]


def scores(model, cases, output, work):
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(1)
    folders = {each["name"]: build(model, each, work / each["name"]) for each in VARIANTS}

    def load(variant, **arguments):
        # The softmax and its sums are computed in float64: the sum of a long text has only five decimals
        # in float32.
        defaults = {"dtype": "float32", "softmax_dtype": "float64"}
        return HFLM(pretrained=folders[variant], device="cpu", batch_size=1, **{**defaults, **arguments})

    def request(kind, lm, arguments):
        return getattr(lm, kind)([Instance(kind, {}, arguments, 0)], disable_tqdm=True)[0]

    def pair(lm, *texts):
        value = attempt(lambda: request("loglikelihood", lm, texts))
        return value if isinstance(value, str) else [round(value[0], 8), value[1]]

    def roll(lm, text):
        return round(request("loglikelihood_rolling", lm, (text,)), 8)

    def scored(score, *texts):
        """The scores for all settings, and the model's in float64 that differ by more than 5e-6 nats."""
        values = {name: score(lm, *texts) for name, lm in models.items()}
        found = {}
        for name, value in values.items():
            if not isinstance(value, str):
                other = score(exact[name], *texts)
                one, two = (value, other) if score is roll else (value[0], other[0])
                assert score is roll or value[1] == other[1], texts
                if abs(one - two) > 5e-6:
                    found[name] = two
        return {"scores": values, **({"float64": found} if found else {})}

    def properties(description):
        lm = load(description["name"])
        return {
            "prefix_token_id": lm.prefix_token_id,
            "max_length": lm.max_length,
            "bos_token_id": lm.tokenizer.bos_token_id,
            "eos_token_id": lm.tokenizer.eos_token_id,
            "ids": {text: lm.tokenizer.encode(text) for text in ENCODED},
        }

    def described(description):
        found = attempt(lambda: properties(description))
        return {**description, **({"error": found} if isinstance(found, str) else found)}

    write(output / "variants.jsonl", map(described, VARIANTS))

    pages = [case["page"] for case in lines(cases / "rolling.jsonl")]
    texts = [page[:160] for page in pages] + [pages[0] + " " + pages[1], pages[2], LONG]
    texts += [ROMEO + ": The king said", "The cafe\u0301", "\U0001f600", ""]
    pairs = PAIRS + [
        (case["context"], case["continuation"]) for case in lines(cases / "merged-continuation.jsonl")
    ]
    for item in lines(cases / "acc-norm.jsonl"):
        pairs += [(item["query"], " " + choice) for choice in item["choices"]]
        CHOICES.insert(0, item)
    items = work / "choices.jsonl"
    write(items, CHOICES)
    models = {name: load(variant, **arguments) for name, variant, arguments in SETTINGS}
    exact = {name: load(variant, **arguments, dtype="float64") for name, variant, arguments in SETTINGS}
    write(
        output / "settings.jsonl",
        ({"name": name, "variant": variant, **arguments} for name, variant, arguments in SETTINGS),
    )
    write(
        output / "pairs.jsonl",
        ({"context": texts[0], "continuation": texts[1], **scored(pair, *texts)} for texts in pairs),
    )
    write(output / "rolling.jsonl", ({"text": text, **scored(roll, text)} for text in texts))

    # Multiple choice runs through the harness's own evaluation of a task.
    task = ConfigurableTask(
        config={
            "task": "choices",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(items)}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{query}}",
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
            "metric_list": [
                {"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in ("acc", "acc_norm")
            ],
        }
    )
    result = simple_evaluate(models["plain"], tasks=[task], log_samples=True, bootstrap_iters=0, verbosity="ERROR")
    samples = sorted(result["samples"]["choices"], key=lambda sample: sample["doc_id"])
    write(
        output / "choices.jsonl",
        (
            {
                **CHOICES[sample["doc_id"]],
                "loglikelihoods": [round(float(response[0][0]), 8) for response in sample["resps"]],
                "acc": int(sample["acc"]),
                "acc_norm": int(sample["acc_norm"]),
            }
            for sample in samples
        ),
    )


def record_tokenizers(model, output, work):
    """Which special tokens each class adds, by default and with add_bos_token of the harness."""
    plain = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    records = []
    for number, (kind, extra, parts) in enumerate(
        (kind, extra, parts)
        for kind in (None, "PreTrainedTokenizerFast", "GPTNeoXTokenizerFast", "LlamaTokenizerFast")
        for extra in ({}, {"add_bos_token": True}, {"add_bos_token": False}, {"add_eos_token": True})
        for parts in ("A", (EOT, "A"))
    ):
        content = {"bos_token": EOT, "eos_token": EOT, **({"tokenizer_class": kind} if kind else {}), **extra}
        description = variant(f"{number}", only=content, post_processor=None if parts == "A" else template(*parts))
        folder = build(model, description, work / description["name"])

        def encoded(**arguments):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **arguments)
            ids = tokenizer.encode("The king")
            own = plain.encode("The king", add_special_tokens=False).ids
            start = ids.index(own[0])
            assert ids[start : start + len(own)] == own, (ids, own)
            return [*ids[:start], "A", *ids[start + len(own) :]]

        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        records.append(
            {
                "transformers": transformers.__version__,
                "tokenizer_class": kind,
                **extra,
                "template": "".join("bos " if part == EOT else "A" for part in parts),
                "loaded": type(tokenizer).__name__,
                "adds": encoded(),
                "adds_if_false": encoded(add_bos_token=False),
                "adds_if_true": encoded(add_bos_token=True),
                "own_ids": tokenizer.encode("The cafe\u0301", add_special_tokens=False)
                == plain.encode("The cafe\u0301", add_special_tokens=False).ids,
            }
        )
    write(output / "tokenizers.jsonl", records, "a")


def check_ids(model, cases):
    """Checks that transformers and the library tokenizers encode texts to the same ids."""
    own = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    other = transformers.AutoTokenizer.from_pretrained(str(model))
    corpus = [line["text"] for line in lines(model.parent / "corpus.jsonl")]
    texts = corpus + [text for pair in PAIRS for text in pair] + [chr(i) * 2 + " " + chr(i) for i in range(0x3000)]
    texts += [text[i : i + 50] for text in corpus[:200] for i in range(0, len(text), 97)]
    for text in texts:
        ids = own.encode(text, add_special_tokens=False).ids
        for special in (False, True):
            assert other.encode(text, add_special_tokens=special) == ids, text
    print(f"transformers {transformers.__version__} encodes {len(texts)} texts to the ids of tokenizers")


def main(mode, model, cases, output):
    model, cases, output = (Path(path).resolve() for path in (model, cases, output))
    work = Path(tempfile.mkdtemp())
    try:
        check_ids(model, cases)
        if mode == "scores":
            scores(model, cases, output, work)
        else:
            record_tokenizers(model, output, work)
    finally:
        shutil.rmtree(work)


main(*sys.argv[1:])
