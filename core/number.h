/* number.h: doubles as text that reads back to the same bits. */
#ifndef CORE_NUMBER_H
#define CORE_NUMBER_H

enum { NUMBER_LEN = 32 };

/* The shortest of 15 to 17 digits that reads back as value; "" for NaN, "inf" and "-inf". */
void number_format(char text[NUMBER_LEN], double value);

#endif
