/* A file system that gives each directory mode 0777, as that of Windows drives in WSL does. Built as a library that
   is preloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>

int mkdir(const char *path, mode_t mode)
{
    int (*real)(const char *, mode_t) = (int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir");
    (void)mode;
    umask(0);
    return real(path, 0777);
}
