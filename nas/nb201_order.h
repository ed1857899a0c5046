/*
 * nb201_order.h: the order in which NAS-Bench-201 numbers its 15,625 cells [Dong2020]: a shuffle by
 * Python's Mersenne Twister. A table, because a shuffle for each question would cost 0.1 ms and a
 * cache would be a global that changes. Written by nas/nb201_order.py, held to the shuffle by
 * tests/test_nas_space_nb201.c.
 */
#ifndef NAS_NB201_ORDER_H
#define NAS_NB201_ORDER_H

#include <stdint.h>

enum { NB201_ORDER_N = 15625 };

/* The benchmark's index of the cell whose six op digits are the base-5 number `word`, last edge
 * fastest. */
extern const uint16_t nb201_order[NB201_ORDER_N];

#endif
