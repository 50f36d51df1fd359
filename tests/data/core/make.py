"""Makes normal_forms.txt: texts and their normal form C by Python's unicodedata, as code points in hexadecimal.

    python3 tests/data/core/make.py
"""
import pathlib
import random
import unicodedata

random.seed(1)
interesting = [chr(c) for c in range(0x110000)
               if not 0xD800 <= c < 0xE000 and (unicodedata.combining(chr(c)) or
                                                unicodedata.normalize("NFD", chr(c)) != chr(c))]
marks = [c for c in interesting if unicodedata.combining(c)]
hangul = [chr(c) for c in (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3))] + ["가", "각", "힣", "글"]
texts = ["Ame\u0301lie", "ａ\u0308", "\u212B", "\u1E9B\u0323", "\u0958", "\u1112\u1161\u11AB", "\u0344", "e\u0328\u0301", "\uFB1D"]
for _ in range(300):
    base = random.choice(["a", "e", "u", "ü", "Ω", "ん", "は", "한", "", random.choice(interesting)])
    texts.append(base + "".join(random.choice(marks) for _ in range(random.randrange(4))) + random.choice(["", "x", "\u0301"]))
for _ in range(100):
    texts.append("".join(random.choice(interesting) for _ in range(random.randrange(1, 5))))
    texts.append("".join(random.choice(hangul) for _ in range(random.randrange(1, 6))))


def codes(text):
    return " ".join(f"{ord(c):X}" for c in text)


lines = [f"{codes(text)};{codes(unicodedata.normalize('NFC', text))}" for text in texts]
(pathlib.Path(__file__).parent / "normal_forms.txt").write_text("\n".join(lines) + "\n")
