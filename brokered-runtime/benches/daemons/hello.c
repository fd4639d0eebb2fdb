/* hello ENDPOINT: a minimal daemon. It is linked statically, so it has no dynamic loader. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (argc < 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 64;
    strcpy(address.sun_path, argv[1]);
    if (unlink(argv[1]) && errno != ENOENT)
        return 71;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        return 71;
    for (;;) {
        int client = accept(listener, 0, 0);
        if (client < 0)
            continue;
        (void)!write(client, "hello\n", 6);
        close(client);
    }
}
