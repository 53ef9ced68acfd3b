/* The limit: start N × `/bin/sh -c true`, some of them at once, and keep nothing.
 *
 *     spawn_loop N AT_ONCE
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static void fail(const char *what, int error) {
    fprintf(stderr, "spawn_loop: %s: %s\n", what, strerror(error));
    exit(2);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: spawn_loop N AT_ONCE\n", stderr);
        return 2;
    }
    long jobs = atol(argv[1]), at_once = atol(argv[2]), started = 0, ended = 0;
    char *const command[] = {"/bin/sh", "-c", "true", NULL};
    posix_spawn_file_actions_t to_null;
    posix_spawn_file_actions_init(&to_null);
    posix_spawn_file_actions_addopen(&to_null, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&to_null, 1, 2);

    while (ended < jobs) {
        while (started < jobs && started - ended < at_once) {
            pid_t pid;
            int error = posix_spawn(&pid, command[0], &to_null, NULL, command, environ);
            if (error)
                fail("posix_spawn", error);
            started++;
        }
        int status;
        if (waitpid(-1, &status, 0) < 0)
            fail("waitpid", 0);
        if (status)
            fail("a job failed", 0);
        ended++;
    }
    return 0;
}
