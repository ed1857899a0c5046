/* clock.h: time, for measuring and for nothing else: no result may depend on it. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

/* Seconds on a clock that never steps back; only differences mean anything. */
double clock_now_s(void);

/* CPU seconds used by the calling thread. */
double clock_thread_s(void);

#endif
