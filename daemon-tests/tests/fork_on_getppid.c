/* Preloaded into a daemon, this makes whoever asks for its parent fork, as a library may that knows nothing of
 * threads and of `exec`. The child lives until it is killed; the caller is told its number. */
#include <unistd.h>

pid_t getppid(void) {
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    return child;
}
