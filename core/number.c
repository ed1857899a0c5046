#include "core/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void number_format(char text[NUMBER_LEN], double value)
{
    text[0] = 0;
    for (int digits = 15; digits <= 17 && !isnan(value); digits++) {
        snprintf(text, NUMBER_LEN, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            return;
        }
    }
}
