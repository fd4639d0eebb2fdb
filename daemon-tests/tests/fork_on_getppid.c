/* Preloaded into a daemon. A call of `getppid` forks, as a careless library may do, without `exec`. The child runs until it
 * is killed; the caller gets the child's PID. */
#include <unistd.h>

pid_t getppid(void) {
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    return child;
}
