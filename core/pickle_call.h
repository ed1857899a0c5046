/*
 * pickle_call.h: what a pickle names and calls. Only the names of an allow list, numpy's and the
 * two that Python itself uses for bytes and ordered dicts, and only calls that stand for data;
 * anything else is refused by its name. Inside core/pickle*.c only. False: as in pickle_stack.h.
 */
#ifndef CORE_PICKLE_CALL_H
#define CORE_PICKLE_CALL_H

#include "core/pickle_stack.h"

/* Push what two lines of the file name, module and function; or the two texts on the stack. */
bool pickle_call_named(struct pickle_stack *r);
bool pickle_call_stacked(struct pickle_stack *r);

/* Call the function with the tuple on the stack; give the value below a state. */
bool pickle_call_reduce(struct pickle_stack *r);
bool pickle_call_build(struct pickle_stack *r);

#endif
