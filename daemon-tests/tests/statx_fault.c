/* Preloaded into a daemon: `statx` of the path in STATX_FAULT_PATH blocks or fails while the file STATX_FAULT_FILE
   exists. The file holds `block`, or the number of an error. This is what a network file system does whose server does
   not answer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int statx_function(int, const char *, int, unsigned int, struct statx *);

int statx(int directory, const char *restrict path, int flags, unsigned int mask, struct statx *restrict buffer) {
    const char *faulty = getenv("STATX_FAULT_PATH");
    const char *file = getenv("STATX_FAULT_FILE");
    while (faulty && file && path && strcmp(path, faulty) == 0) {
        char fault[16] = "";
        FILE *opened = fopen(file, "r");
        if (!opened)
            break;
        size_t length = fread(fault, 1, sizeof fault - 1, opened);
        fclose(opened);
        fault[length] = 0;
        if (atoi(fault) != 0) {
            errno = atoi(fault);
            return -1;
        }
        usleep(2000);
    }
    statx_function *next = (statx_function *)dlsym(RTLD_NEXT, "statx");
    return next(directory, path, flags, mask, buffer);
}
