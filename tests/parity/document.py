#!/usr/bin/env python3
"""Puts the table of a comparison into docs/parity.md, between its two marks.   document.py TABLE.md DOC.md"""
import pathlib
import sys

BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
table, document = map(pathlib.Path, sys.argv[1:3])
text = document.read_text()
before, rest = text.split(BEGIN)
document.write_text(before + BEGIN + table.read_text() + END + rest.split(END)[1])
