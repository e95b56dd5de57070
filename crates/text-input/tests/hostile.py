"""Texts that tokenizers and vectorizers are known to get wrong."""

import random
import unicodedata

WORDS = (
    "the a of quick Brown FOX jumped don't we're I'LL it's naïve café résumé Straße ΟΔΥΣΣΕΥΣ İstanbul ığ œuvre ﬁne Ⅷ ½ x² 3.14 1,000 "
    "hello_world __init__ C++ a-b e-mail@x.org https://x.org/?q=1&z#f"
).split()
POOLS = [
    WORDS,
    # Control characters and unusual spaces.
    [chr(c) for c in range(0x20)] + list("\x7f\x80\x85\xa0\xad\u200b\u200d\ufeff\u2028\u2029\u3000\u1680\u180e\u202e\ufffd\ufffc"),
    # Marks that combine, alone and in a row.
    [chr(c) for c in range(0x300, 0x370)] + list("\u0344\u20dd\u0903\u093e\u0bcd\u1ab0"),
    [chr(c) for c in range(0x4E00, 0x4E80)] + list("漢字かなカナ한국어ㄱㅏ\uf900\U00020000\U0002f800"),
    list("😀👍🏽👨‍👩‍👧‍👦🇩🇪❤️‍🔥\u200d\ufe0f"),
    list("שלום عربي فارسی ตัวอย่าง हिन्दी বাংলা தமிழ்"),
    ["[SEP]", "[CLS]", "[MASK]", "[PAD]", "[UNK]", "<s>", "</s>", "<mask>", "<|endoftext|>", "##ing", "##", "[ SEP ]", "[sep]"],
    list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»„“”‘’–—…•€£¥°±²³µ¶·¼½¾×÷"),
    [" ", "  ", "   ", "\t", "\n", "\r\n", " \n "],
    list("ΑΒΓΣςσΩΆİIıiǅẞßŉﬀﷺÅÅﬁ™㎏①⑳ⅻ"),
]
LONG = ["", " ", "a" * 100_000, "é" * 100_000, "漢" * 30_000, "a\u0301" * 50_000, "!" * 100_000, "ab " * 40_000, "a" * 100, "a" * 101]


def texts(count: int, seed: int, longest: int = 300) -> list[str]:
    """`count` texts of characters that this Python knows."""
    chance = random.Random(seed)
    found: list[str] = []
    while len(found) < count:
        kind = chance.randrange(8)
        if kind == 0:
            ends = [0x3000, 0xD800, 0x20000, 0x110000]
            text = "".join(chr(chance.randrange(0x20, chance.choice(ends))) for _ in range(chance.randrange(1, 30)))
        elif kind == 1:
            text = " ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, longest // 5)))
        elif kind == 2:
            text = chance.choice(chance.choice(POOLS)) * chance.randrange(1, longest // 2)
        elif kind == 3:
            letters = "abcdefghijklmnopqrstuvwxyzABCéü"
            text = " ".join("".join(chance.choices(letters, k=chance.randrange(1, 14))) for _ in range(chance.randrange(1, 40)))
        else:
            pools = [chance.choice(POOLS), POOLS[0], POOLS[7], POOLS[8]]
            text = "".join(chance.choice(chance.choice(pools)) for _ in range(chance.randrange(1, longest // 4)))
        if len(text) <= longest and not any(unicodedata.category(c) in ("Cn", "Cs") for c in text):
            found.append(text)
    return found
