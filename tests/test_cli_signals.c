/* One signal asks for an orderly end, the second leaves at once; without signals_install they do
 * what they always do. */
#define _GNU_SOURCE
#include "cli/signals.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What becomes of a child that runs the function: its exit status as waitpid tells. */
static int fate_of(void (*child)(int), int number)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(STDERR_FILENO);
        child(number);
        _exit(77);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void catch_one(int number)
{
    signals_install();
    bool before = signals_pending();
    raise(number);
    _exit(!before && signals_pending() ? 5 : 1);
}

static void catch_two(int number)
{
    signals_install();
    raise(number);
    raise(number);
}

static void catch_none(int number)
{
    signal(number, SIG_DFL); /* a shell's background commands are born deaf to SIGINT */
    raise(number);
}

static void signals_do_as_told(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < N_ELEMS(numbers); i++) {
        int status = fate_of(catch_one, numbers[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
        status = fate_of(catch_two, numbers[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + numbers[i]);
        status = fate_of(catch_none, numbers[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_do_as_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
