#!/usr/bin/env python3
"""Write nas/nb201_order.c: the benchmark's index of each NAS-Bench-201 cell [Dong2020].

The benchmark numbers its cells by the order in which Python's random.shuffle, seeded with 88, left the list of all
base-5 words (last edge fastest). tests/test_nas_space_nb201.c holds the table to a Mersenne Twister written in C.
Usage: python3 nas/nb201_order.py > nas/nb201_order.c
"""
import random

words = list(range(5**6))
random.seed(88)
random.shuffle(words)
index_of = [0] * len(words)
for index, word in enumerate(words):
    index_of[word] = index

print("/* Written by nas/nb201_order.py; do not edit. */")
print('#include "nas/nb201_order.h"\n')
print("const uint16_t nb201_order[NB201_ORDER_N] = {")
for first in range(0, len(words), 16):
    print("    " + "".join(f"{i}," for i in index_of[first:first + 16]))
print("};")
